output "endpoint" {
  description = "Endpoint of the store, for the front."
  value = {
    url = "rediss://${google_redis_instance.store.host}:${google_redis_instance.store.port}"
    # The certificate has its address only in the CN, which TLS libraries ignore.
    verify = "ca"
    iam    = false
    ca = {
      secret  = google_secret_manager_secret.ca.secret_id
      version = google_secret_manager_secret_version.ca.version
    }
    password = {
      secret  = google_secret_manager_secret.password.secret_id
      version = google_secret_manager_secret_version.password.version
    }
  }
}

output "protected" {
  description = "Whether the store and its secrets cannot be destroyed."
  value = alltrue([
    google_redis_instance.store.deletion_protection,
    google_secret_manager_secret.password.deletion_protection,
    google_secret_manager_secret.ca.deletion_protection,
  ])
}
