mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789" }
  }
  mock_resource "google_monitoring_notification_channel" {
    defaults = { id = "projects/demo-project/notificationChannels/2" }
  }
}

variables {
  name        = "rl"
  project_id  = "demo-project"
  region      = "europe-west1"
  store       = "redis"
  service     = "rl-front"
  public_host = null
  metrics     = true
  alerts      = { emails = ["oncall@example.com"], channels = ["projects/demo-project/notificationChannels/1"] }
}

run "inside" {
  module { source = "./modules/monitoring" }
  assert {
    condition     = toset(keys(google_monitoring_alert_policy.query)) == toset(["no-front", "errors", "degraded", "slow", "store-memory", "store-cpu"])
    error_message = "Somebody must be told when fronts or the store are away, slow or full."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.query : length(policy.notification_channels) == 2])
    error_message = "Every channel must be told."
  }
  assert {
    condition     = length(google_monitoring_uptime_check_config.ready) == 0
    error_message = "Probes from the internet reach no front that is internal."
  }
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.rl[0].dashboard_json).mosaicLayout.tiles) == 8
    error_message = "The dashboard has all its charts."
  }
  assert {
    condition     = length(distinct([for tile in jsondecode(google_monitoring_dashboard.rl[0].dashboard_json).mosaicLayout.tiles : "${tile.xPos}.${tile.yPos}"])) == 8
    error_message = "No chart hides another."
  }
}

run "from_outside" {
  module { source = "./modules/monitoring" }
  variables { public_host = "rl-front-abc-ew.a.run.app" }
  assert {
    condition = (
      google_monitoring_uptime_check_config.ready[0].http_check[0].path == "/health/ready" && google_monitoring_uptime_check_config.ready[0].http_check[0].validate_ssl
      && google_monitoring_uptime_check_config.ready[0].monitored_resource[0].labels.host == var.public_host
      && length(google_monitoring_alert_policy.uptime) == 1
    )
    error_message = "What the internet may reach is probed from there, and somebody told when it is not reached."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.probes[0].member == "serviceAccount:service-123456789@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
    error_message = "The probes must be let in, and by name."
  }
}

run "without_metrics" {
  module { source = "./modules/monitoring" }
  variables {
    store   = "vm"
    metrics = false
  }
  assert {
    condition     = toset(keys(google_monitoring_alert_policy.query)) == toset(["store-cpu"]) && length(google_monitoring_dashboard.rl) == 0
    error_message = "Nothing is asked of metrics that nobody scrapes."
  }
}
