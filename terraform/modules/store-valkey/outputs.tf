output "endpoint" {
  description = "How the front reaches it."
  value = {
    url      = "rediss+cluster://${local.discovery.ip_address}:${local.discovery.port}"
    verify   = "ca" # nodes are met by addresses that their certificates need not name; the authority signs for them alone
    iam      = true
    ca       = { secret = google_secret_manager_secret.ca.secret_id, version = google_secret_manager_secret_version.ca.version }
    password = null
  }
  depends_on = [google_project_iam_member.connect]
}

output "protected" {
  description = "Whether it and its secrets are refused to be destroyed."
  value       = alltrue([google_memorystore_instance.store.deletion_protection_enabled, google_secret_manager_secret.ca.deletion_protection])
}
