output "url" {
  description = "Where POST /check is answered."
  value       = google_cloud_run_v2_service.front.uri
}

output "host" {
  description = "The same, without its scheme."
  value       = trimprefix(google_cloud_run_v2_service.front.uri, "https://")
}

output "service" {
  description = "The Cloud Run service."
  value       = google_cloud_run_v2_service.front.name
}
