# The password, which is generated here, kept in Secret Manager and not in the state; and the
# service account of the VM.
ephemeral "random_password" "redis" {
  length  = 40
  special = false
}

resource "google_secret_manager_secret" "password" {
  secret_id           = "${var.name}-vm-auth" # unlike that of store-redis, which may still exist
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "password" {
  secret                 = google_secret_manager_secret.password.id
  secret_data_wo         = ephemeral.random_password.redis.result
  secret_data_wo_version = "1"
  lifecycle {
    create_before_destroy = true # the VM and the fronts read the old version until they are updated
  }
}

# Public, but Cloud Run can only mount secrets as files. The VM adds the version.
resource "google_secret_manager_secret" "ca" {
  secret_id           = "${var.name}-vm-ca"
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

resource "google_service_account" "vm" {
  account_id   = local.label
  display_name = "Redis of the rate limiter"
}

resource "google_secret_manager_secret_iam_member" "vm" {
  for_each = {
    "roles/secretmanager.secretAccessor"     = google_secret_manager_secret.password.id
    "roles/secretmanager.secretVersionAdder" = google_secret_manager_secret.ca.id
  }
  secret_id = each.value
  role      = each.key
  member    = google_service_account.vm.member
}

resource "google_artifact_registry_repository_iam_member" "vm" {
  repository = var.repository
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.vm.member
}

resource "google_project_iam_member" "vm" {
  for_each = toset(["roles/logging.logWriter", "roles/monitoring.metricWriter"])
  project  = var.project_id
  role     = each.key
  member   = google_service_account.vm.member
}
