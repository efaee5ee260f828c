# Alerts and their receivers. The thresholds are those of docs/monitoring/alerts.yml, which has more
# alerts, for your own Prometheus.
locals {
  # The labels that the collector adds.
  front = "cluster=\"__run__\",namespace=\"${var.service}\",job=\"rl\""
  # Alerts on metrics of the fronts.
  front_alerts = {
    no-front = {
      severity = "CRITICAL"
      for      = "120s"
      query    = "absent(process_start_time_seconds{${local.front}})"
      text     = "No front is scraped, so callers decide without it. See the service's log and revisions, and roll back the last deployment (docs/deploy.md)."
    }
    errors = {
      severity = "CRITICAL"
      for      = "300s"
      query    = "sum(rate(rl_http_requests_total{${local.front},code=~\"5..\",endpoint!~\"/health/.*\"}[5m])) / sum(rate(rl_http_requests_total{${local.front},endpoint!~\"/health/.*\"}[5m])) > 0.01"
      text     = "More than 1% of the requests get a 5xx response. Checks are decided even without the store, so these are refunds, charges and resets that the store did not confirm, or a bug. The log has a warning for each path."
    }
    degraded = {
      severity = "CRITICAL"
      for      = "60s"
      query    = "sum(rate(rl_degraded_total{${local.front}}[5m])) / sum(rate(rl_decisions_total{${local.front}}[5m])) > 0.01"
      text     = "More than 1% of the decisions are made without the store, by each policy's on_error. The fronts' log has the reason; see also the store's own metrics."
    }
    refusing = {
      severity = "CRITICAL"
      for      = "60s"
      query    = "max(rl_redis_refusing{${local.front}}) > 0"
      text     = "The store can be reached and refuses what a front asks it, so that checks are decided by each policy's on_error. The fronts' log and /health/ready have the cause in the store's words. OOM: its memory is full. NOREPLICAS: it has lost its replica. NOPERM: its user lacks a permission (docs/security.md)."
    }
    slow = {
      severity = "WARNING"
      for      = "600s"
      query    = "histogram_quantile(0.99, sum by (le) (rate(rl_http_request_duration_seconds_bucket{${local.front},endpoint=~\"/check|/check/batch|/take\"}[5m]))) > 0.1"
      text     = "The slowest 1% of the checks take more than 100 ms. The store cannot take longer than the deadline, so the fronts are too busy: raise front.max_instances or front.cpu."
    }
  }
  # Queries on metrics of the store.
  store_queries = {
    redis = {
      memory = "redis_googleapis_com:stats_memory_usage_ratio{monitored_resource=\"redis_instance\",instance_id=~\"(.*/)?${var.name}\"} > 0.8"
      cpu    = "sum by (instance_id, node_id) (rate(redis_googleapis_com:stats_cpu_utilization_main_thread{monitored_resource=\"redis_instance\",instance_id=~\"(.*/)?${var.name}\"}[5m])) > 0.7"
    }
    valkey = {
      memory = "memorystore_googleapis_com:instance_memory_maximum_utilization{instance_id=~\"(.*/)?${var.name}-valkey\"} > 0.8"
      cpu    = "memorystore_googleapis_com:instance_cpu_maximum_utilization{instance_id=~\"(.*/)?${var.name}-valkey\"} > 0.7"
    }
    vm = {
      # In processors: Redis uses at most one, however many the machine has.
      cpu = "sum by (instance_name) (rate(compute_googleapis_com:instance_cpu_usage_time{monitored_resource=\"gce_instance\",instance_name=~\"${var.name}-redis-.*\"}[5m])) > 0.7"
    }
  }[var.store]
  store_texts = {
    memory = "The store uses more than 80% of its memory. When it is full, it evicts buckets, which are then full again. Give it more (redis.memory_gb, valkey.shards)."
    cpu    = "The store is busy more than 70% of the time; failover, snapshots and expiry need the rest. Add shards (valkey.shards), or see docs/scaling.md on batches and leases."
  }
  policies = merge(
    var.metrics ? local.front_alerts : {},
    { for name, query in local.store_queries : "store-${name}" => {
      severity = "WARNING"
      for      = "300s"
      query    = query
      text     = local.store_texts[name]
    } },
  )
  channels = concat(
    var.alerts.channels,
    [for channel in google_monitoring_notification_channel.email : channel.id],
  )
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
      disable_metric_validation = true # no front has been scraped yet
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
