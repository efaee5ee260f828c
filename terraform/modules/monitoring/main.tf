# Who is told, and of what. The thresholds are those of docs/monitoring/alerts.yml, which has more of them, for a Prometheus
# of your own.
locals {
  front = "cluster=\"__run__\",namespace=\"${var.service}\",job=\"rl\"" # as the collector labels what it scrapes
  # By metrics of the fronts.
  of_front = {
    no-front = {
      severity = "CRITICAL"
      for      = "120s"
      query    = "absent(process_start_time_seconds{${local.front}})"
      text     = "No front is scraped. Callers decide by themselves now. See the service's log and revisions; then roll back what was deployed last (docs/deploy.md)."
    }
    errors = {
      severity = "CRITICAL"
      for      = "300s"
      query    = "sum(rate(rl_http_requests_total{${local.front},code=~\"5..\",endpoint!~\"/health/.*\"}[5m])) / sum(rate(rl_http_requests_total{${local.front},endpoint!~\"/health/.*\"}[5m])) > 0.01"
      text     = "More than 1% of the requests are answered with 5xx. A check is decided even without the store, so these are refunds, charges and resets that it did not confirm, or a bug: the log has a warning for each path."
    }
    degraded = {
      severity = "CRITICAL"
      for      = "60s"
      query    = "sum(rate(rl_degraded_total{${local.front}}[5m])) / sum(rate(rl_decisions_total{${local.front}}[5m])) > 0.01"
      text     = "More than 1% of the decisions are made without the store: each policy does what its on_error says. The fronts' log says why; see the store's own metrics."
    }
    slow = {
      severity = "WARNING"
      for      = "600s"
      query    = "histogram_quantile(0.99, sum by (le) (rate(rl_http_request_duration_seconds_bucket{${local.front},endpoint=~\"/check|/check/batch|/take\"}[5m]))) > 0.1"
      text     = "The slowest 1% of the checks take more than 100 ms. The store cannot take longer than the deadline, so the rest is the fronts': raise front.max_instances or front.cpu."
    }
  }
  # By the store's own.
  of_store = {
    redis = {
      memory = "redis_googleapis_com:stats_memory_usage_ratio{monitored_resource=\"redis_instance\",instance_id=~\"(.*/)?${var.name}\"} > 0.8"
      cpu    = "sum by (instance_id, node_id) (rate(redis_googleapis_com:stats_cpu_utilization_main_thread{monitored_resource=\"redis_instance\",instance_id=~\"(.*/)?${var.name}\"}[5m])) > 0.7"
    }
    valkey = {
      memory = "memorystore_googleapis_com:instance_memory_maximum_utilization{instance_id=~\"(.*/)?${var.name}-valkey\"} > 0.8"
      cpu    = "memorystore_googleapis_com:instance_cpu_maximum_utilization{instance_id=~\"(.*/)?${var.name}-valkey\"} > 0.7"
    }
    vm = {
      # Of one processor: Redis uses no more, however many the machine has.
      cpu = "sum by (instance_name) (rate(compute_googleapis_com:instance_cpu_usage_time{monitored_resource=\"gce_instance\",instance_name=~\"${var.name}-redis-.*\"}[5m])) > 0.7"
    }
  }[var.store]
  texts = {
    memory = "The store has used 80% of its memory: soon it evicts buckets, which are full then. Give it more (redis.memory_gb, valkey.shards)."
    cpu    = "The store is busy for 70% of the time: what is left is for failover, snapshots and expiry. Spread it (valkey.shards), or see docs/scaling.md on batches and leases."
  }
  policies = merge(
    var.metrics ? local.of_front : {},
    { for what, query in local.of_store : "store-${what}" => { severity = "WARNING", for = "300s", query = query, text = local.texts[what] } },
  )
  channels = concat(var.alerts.channels, [for channel in google_monitoring_notification_channel.email : channel.id])
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = toset(var.alerts.emails)
  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }
}

resource "google_monitoring_alert_policy" "query" {
  for_each              = local.policies
  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  conditions {
    display_name = each.key
    condition_prometheus_query_language {
      query                     = each.value.query
      duration                  = each.value.for
      evaluation_interval       = "30s"
      disable_metric_validation = true # no front has been scraped yet when this is made
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = each.value.text
  }
  alert_strategy {
    auto_close = "1800s"
  }
}
