output "endpoint" {
  description = "Endpoint of the store, for the front."
  value = {
    url    = "rediss://rl-module@${google_compute_address.redis.address}:${local.port}"
    verify = "full"
    iam    = false
    # The VM's own authority: a new disk has a new one.
    ca = { secret = google_secret_manager_secret.ca.secret_id, version = "latest" }
    password = {
      secret  = google_secret_manager_secret.password.secret_id
      version = google_secret_manager_secret_version.password.version
    }
  }
  depends_on = [
    google_compute_instance_group_manager.redis, google_compute_forwarding_rule.redis,
  ]
}

output "protected" {
  description = "Whether the store and its secrets cannot be destroyed."
  value = alltrue([
    google_compute_instance_group_manager.redis.deletion_policy == "PREVENT",
    google_secret_manager_secret.password.deletion_protection,
    google_secret_manager_secret.ca.deletion_protection,
  ])
}

output "reachable_from" {
  description = "Source ranges that the firewall allows, by rule."
  value       = { for name, rule in google_compute_firewall.allow : name => rule.source_ranges }
}
