output "alerts" {
  description = "Names of all alerts."
  value = sort(concat(
    keys(google_monitoring_alert_policy.query),
    [for policy in google_monitoring_alert_policy.uptime : "uptime"],
  ))
}
