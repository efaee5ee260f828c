output "endpoint" {
  description = "How the front reaches it."
  value = {
    url      = "rediss://${google_redis_instance.store.host}:${google_redis_instance.store.port}"
    verify   = "ca" # the certificate names its address in the CN alone, which TLS libraries do not read
    iam      = false
    ca       = { secret = google_secret_manager_secret.ca.secret_id, version = google_secret_manager_secret_version.ca.version }
    password = { secret = google_secret_manager_secret.password.secret_id, version = google_secret_manager_secret_version.password.version }
  }
}

output "protected" {
  description = "Whether it and its secrets are refused to be destroyed."
  value       = alltrue([google_redis_instance.store.deletion_protection, google_secret_manager_secret.password.deletion_protection, google_secret_manager_secret.ca.deletion_protection])
}
