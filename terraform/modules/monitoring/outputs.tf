output "alerts" {
  description = "Of what somebody is told."
  value       = sort(concat(keys(google_monitoring_alert_policy.query), [for policy in google_monitoring_alert_policy.uptime : "uptime"]))
}
