mock_provider "google" {
  mock_resource "google_monitoring_uptime_check_config" {
    override_during = plan
    defaults        = { uptime_check_id = "rl-ready-1" }
  }
  mock_data "google_project" {
    defaults = { number = "123456789" }
  }
  mock_resource "google_monitoring_notification_channel" {
    override_during = plan
    defaults        = { id = "projects/demo-project/notificationChannels/2" }
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
  alerts = {
    emails   = ["oncall@example.com"]
    channels = ["projects/demo-project/notificationChannels/1"]
  }
}

run "inside" {
  command = plan
  module { source = "./modules/monitoring" }
  assert {
    condition = (
      toset(keys(google_monitoring_alert_policy.query))
      == toset(["no-front", "errors", "degraded", "refusing", "slow", "store-memory", "store-cpu"])
    )
    error_message = "There must be alerts for fronts and stores that are down, slow or full."
  }
  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.query : length(policy.notification_channels) == 2
    ])
    error_message = "Every alert must notify every channel."
  }
  assert {
    condition = (
      length(google_monitoring_uptime_check_config.ready) == 0
      && length(google_cloud_run_v2_service_iam_member.probes) == 0
      && output.alerts == sort(keys(google_monitoring_alert_policy.query))
    )
    error_message = "An internal front must have no probes from the internet."
  }
  assert {
    condition = alltrue([for name in ["no-front", "errors", "degraded", "refusing", "slow"] :
      strcontains(
        google_monitoring_alert_policy.query[name].conditions[0].condition_prometheus_query_language[0].query,
        "{cluster=\"__run__\",namespace=\"rl-front\",job=\"rl\""
      )
    ])
    error_message = "Queries on fronts must select these, by the labels that the collector adds."
  }
  assert {
    condition = alltrue([
      for name, of in {
        memory = "stats_memory_usage_ratio"
        cpu    = "stats_cpu_utilization_main_thread"
      } :
      strcontains(
        google_monitoring_alert_policy.query["store-${name}"].conditions[0].condition_prometheus_query_language[0].query,
        "redis_googleapis_com:${of}{monitored_resource=\"redis_instance\",instance_id=~\"(.*/)?rl\"}"
      )
    ])
    error_message = "Queries on the store must select this instance."
  }
  assert {
    condition = alltrue([for policy in google_monitoring_alert_policy.query :
      policy.conditions[0].condition_prometheus_query_language[0].disable_metric_validation
      && length(policy.documentation[0].content) > 50
      && contains(["CRITICAL", "WARNING"], policy.severity)
    ])
    error_message = "Alert policies must allow metrics that do not exist yet, and say what to do."
  }
  assert {
    condition = (
      length(jsondecode(google_monitoring_dashboard.rl[0].dashboard_json).mosaicLayout.tiles)
      == 9
    )
    error_message = "The dashboard must have all charts."
  }
  assert {
    condition = (
      length(distinct([for tile in jsondecode(google_monitoring_dashboard.rl[0].dashboard_json).mosaicLayout.tiles : "${tile.xPos}.${tile.yPos}"]))
      == 9
    )
    error_message = "Charts must not overlap."
  }
}

run "from_outside" {
  command = plan
  module { source = "./modules/monitoring" }
  variables {
    public_host = "rl-front-abc-ew.a.run.app"
    store       = "valkey"
  }
  assert {
    condition = (
      google_monitoring_uptime_check_config.ready[0].http_check[0].path == "/health/ready"
      && google_monitoring_uptime_check_config.ready[0].http_check[0].validate_ssl
      && google_monitoring_uptime_check_config.ready[0].monitored_resource[0].labels
      == tomap({ host = var.public_host, project_id = var.project_id })
      && length(google_monitoring_alert_policy.uptime[0].notification_channels) == 2
      && strcontains(
        google_monitoring_alert_policy.uptime[0].conditions[0].condition_threshold[0].filter,
        "metric.label.check_id=\"rl-ready-1\""
      )
    )
    error_message = "A front on the internet must be probed from outside, with an alert."
  }
  assert {
    condition = (
      google_cloud_run_v2_service_iam_member.probes[0].member
      == "serviceAccount:service-123456789@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
    )
    error_message = "The probes' service account must be an invoker."
  }
  assert {
    condition = (
      google_cloud_run_v2_service_iam_member.probes[0].role == "roles/run.invoker"
      && google_monitoring_uptime_check_config.ready[0].http_check[0].service_agent_authentication[0].type
      == "OIDC_TOKEN"
    )
    error_message = "The probes must authenticate, and may only call the front."
  }
  assert {
    condition     = contains(output.alerts, "uptime")
    error_message = "The outputs must list the alert on access from outside."
  }
  assert {
    condition = alltrue([for name in ["memory", "cpu"] :
      strcontains(
        google_monitoring_alert_policy.query["store-${name}"].conditions[0].condition_prometheus_query_language[0].query,
        "memorystore_googleapis_com:instance_${name}_maximum_utilization{instance_id=~\"(.*/)?rl-valkey\"}"
      )
    ])
    error_message = "Queries on the store must select this instance."
  }
}

run "without_metrics" {
  command = plan
  module { source = "./modules/monitoring" }
  variables {
    store   = "vm"
    metrics = false
  }
  assert {
    condition = (
      toset(keys(google_monitoring_alert_policy.query)) == toset(["store-cpu"])
      && length(google_monitoring_dashboard.rl) == 0
    )
    error_message = "There must be no queries on metrics that are not scraped."
  }
  assert {
    condition = strcontains(
      google_monitoring_alert_policy.query["store-cpu"].conditions[0].condition_prometheus_query_language[0].query,
      "rate(compute_googleapis_com:instance_cpu_usage_time{monitored_resource=\"gce_instance\",instance_name=~\"rl-redis-.*\"}[5m])) > 0.7"
    )
    error_message = "The alert must watch one processor, as Redis uses only one."
  }
}
