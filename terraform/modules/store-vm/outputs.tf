output "endpoint" {
  description = "How the front reaches it."
  value = {
    url      = "rediss://rl-module@${google_compute_address.redis.address}:${local.port}"
    verify   = "full"
    iam      = false
    ca       = { secret = google_secret_manager_secret.ca.secret_id, version = "latest" } # the VM's own: new if its disk is
    password = { secret = google_secret_manager_secret.password.secret_id, version = google_secret_manager_secret_version.password.version }
  }
  depends_on = [google_compute_instance_group_manager.redis, google_compute_forwarding_rule.redis]
}
