output "url" {
  description = "URL of the front, which serves POST /check."
  value       = google_cloud_run_v2_service.front.uri
}

output "host" {
  description = "Host of the URL."
  value       = trimprefix(google_cloud_run_v2_service.front.uri, "https://")
}

output "environment" {
  description = "Settings of the front as environment variables. None is a secret."
  value       = local.env
}

output "protected" {
  description = "Whether the front and its secrets cannot be destroyed."
  value = alltrue(concat(
    [
      google_cloud_run_v2_service.front.deletion_protection,
      google_secret_manager_secret.policies.deletion_protection,
    ],
    google_secret_manager_secret.scrape[*].deletion_protection,
  ))
}

output "service" {
  description = "Name of the Cloud Run service."
  value       = google_cloud_run_v2_service.front.name
}
