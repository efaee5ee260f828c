# Google's collector beside each front, which scrapes /metrics into Managed Service for Prometheus.
locals {
  mounted_scrape = "/etc/rungmp/config.yaml"
  scrape = { for version in google_secret_manager_secret_version.scrape : "scrape" => {
    path    = basename(local.mounted_scrape)
    secret  = google_secret_manager_secret.scrape[0].secret_id
    version = version.version
  } }
}

resource "google_secret_manager_secret" "scrape" {
  count               = var.config.metrics ? 1 : 0
  secret_id           = "${var.name}-scrape"
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "scrape" {
  count  = var.config.metrics ? 1 : 0
  secret = google_secret_manager_secret.scrape[0].id
  secret_data = yamlencode({
    apiVersion = "monitoring.googleapis.com/v1beta"
    kind       = "RunMonitoring"
    metadata   = { name = "rl" } # the job label, as in docs/monitoring
    spec = {
      endpoints    = [{ port = local.admin_port, path = "/metrics", interval = "30s" }]
      targetLabels = { metadata = ["service", "revision", "instance"] }
    }
  })
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_project_iam_member" "metrics" {
  for_each = toset(
    var.config.metrics ? ["roles/monitoring.metricWriter", "roles/logging.logWriter"] : []
  )
  project = var.project_id
  role    = each.key
  member  = "serviceAccount:${var.account}"
}
