locals {
  charts = {
    "Decisions a second"                        = "sum by (outcome) (rate(rl_decisions_total{${local.front}}[1m]))"
    "Denied share, by policy"                   = "sum by (policy) (rate(rl_decisions_total{${local.front},outcome=~\"denied|never\"}[5m])) / sum by (policy) (rate(rl_decisions_total{${local.front}}[5m]))"
    "Decisions without the store, a second"     = "sum by (policy) (rate(rl_degraded_total{${local.front}}[1m]))"
    "Response time, p50, s"                     = "histogram_quantile(0.5, sum by (le) (rate(rl_http_request_duration_seconds_bucket{${local.front},endpoint!~\"/health/.*\"}[1m])))"
    "Response time, p99, s"                     = "histogram_quantile(0.99, sum by (le) (rate(rl_http_request_duration_seconds_bucket{${local.front},endpoint!~\"/health/.*\"}[1m])))"
    "Requests a second, by code"                = "sum by (code) (rate(rl_http_requests_total{${local.front}}[1m]))"
    "Failed store requests a second, by reason" = "sum by (reason) (rate(rl_redis_errors_total{${local.front}}[1m]))"
    "Fronts that the store refuses"             = "sum(rl_redis_refusing{${local.front}})"
    "Processors in use, by front"               = "sum by (instance) (rate(process_cpu_seconds_total{${local.front}}[1m]))"
  }
}

resource "google_monitoring_dashboard" "rl" {
  count = var.metrics ? 1 : 0
  dashboard_json = jsonencode({
    displayName = "Rate limiter ${var.name}"
    mosaicLayout = {
      columns = 48
      tiles = [for i, title in sort(keys(local.charts)) : {
        xPos   = i % 2 * 24
        yPos   = floor(i / 2) * 16
        width  = 24
        height = 16
        widget = {
          title = title
          xyChart = {
            dataSets = [{
              plotType        = "LINE"
              timeSeriesQuery = { prometheusQuery = local.charts[title] }
            }]
          }
        }
      }]
    }
  })
}
