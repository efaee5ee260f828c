# Google's probes, with their own identity token, if the internet can reach the front.
data "google_project" "project" {
  count = var.public_host == null ? 0 : 1
}

resource "google_cloud_run_v2_service_iam_member" "probes" {
  count    = length(data.google_project.project)
  name     = var.service
  location = var.region
  role     = "roles/run.invoker"
  member   = "serviceAccount:service-${data.google_project.project[0].number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
  # Google creates this account with the first such check.
  depends_on = [
    google_monitoring_uptime_check_config.ready, google_monitoring_notification_channel.email,
  ]
}

resource "google_monitoring_uptime_check_config" "ready" {
  count        = length(data.google_project.project)
  display_name = "${var.name}: ready"
  period       = "60s"
  timeout      = "10s"
  http_check {
    path         = "/health/ready"
    port         = 443
    use_ssl      = true
    validate_ssl = true
    service_agent_authentication {
      type = "OIDC_TOKEN"
    }
  }
  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project_id, host = var.public_host }
  }
}

resource "google_monitoring_alert_policy" "uptime" {
  count                 = length(google_monitoring_uptime_check_config.ready)
  display_name          = "${var.name}: unreachable from outside"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  conditions {
    display_name = "uptime"
    condition_threshold {
      filter          = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND resource.type=\"uptime_url\" AND metric.label.check_id=\"${google_monitoring_uptime_check_config.ready[0].uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1 # regions
      duration        = "120s"
      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "Probes from two or more regions get no answer from /health/ready. See the service's log and revisions, and roll back the last deployment (docs/deploy.md)."
  }
}
