output "endpoint" {
  description = "Endpoint of the store, for the front."
  value = {
    url = "rediss+cluster://${local.discovery.ip_address}:${local.discovery.port}"
    # Certificates of nodes may not name their addresses; the authority signs for these nodes only.
    verify = "ca"
    iam    = true
    ca = {
      secret  = google_secret_manager_secret.ca.secret_id
      version = google_secret_manager_secret_version.ca.version
    }
    password = null
  }
  depends_on = [google_project_iam_member.connect]
}

output "protected" {
  description = "Whether the store and its secrets cannot be destroyed."
  value = alltrue([
    google_memorystore_instance.store.deletion_protection_enabled,
    google_secret_manager_secret.ca.deletion_protection,
  ])
}
