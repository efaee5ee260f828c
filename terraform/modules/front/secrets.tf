# Secrets that are mounted as files, each at a version, so that a revision never changes.
resource "google_secret_manager_secret" "policies" {
  secret_id           = "${var.name}-policies"
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "policies" {
  secret                 = google_secret_manager_secret.policies.id
  secret_data_wo         = var.policies # not in the state: overrides name customers
  secret_data_wo_version = substr(sha256(var.policies), 0, 8)
  deletion_policy        = "ABANDON" # a roll-back to an old revision needs its version
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_iam_member" "read" {
  for_each  = { for name, file in merge(local.files, local.scrape) : name => file.secret }
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${var.account}"
}
