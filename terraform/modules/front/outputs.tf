output "url" {
  description = "Where POST /check is answered."
  value       = google_cloud_run_v2_service.front.uri
}

output "host" {
  description = "The same, without its scheme."
  value       = trimprefix(google_cloud_run_v2_service.front.uri, "https://")
}

output "environment" {
  description = "Its settings; none is a secret."
  value       = local.env
}

output "protected" {
  description = "Whether it and its secrets are refused to be destroyed."
  value       = alltrue(concat([google_cloud_run_v2_service.front.deletion_protection, google_secret_manager_secret.policies.deletion_protection], google_secret_manager_secret.scrape[*].deletion_protection))
}

output "service" {
  description = "The Cloud Run service."
  value       = google_cloud_run_v2_service.front.name
}
