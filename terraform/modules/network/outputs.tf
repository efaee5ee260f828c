output "id" {
  description = "The network."
  value       = local.id
}

output "front_subnetwork" {
  description = "Where the front has its addresses."
  value       = google_compute_subnetwork.subnet["front"].id
}

output "store_subnetwork" {
  description = "Where a store of ours, or an endpoint of Google's, has its address."
  value       = google_compute_subnetwork.subnet["store"].id
}

output "peered" {
  description = "The network, once its peering is there."
  value       = local.id
  depends_on  = [google_service_networking_connection.peering]
}

output "connected" {
  description = "The network, once endpoints may be made in it."
  value       = local.id
  depends_on  = [google_network_connectivity_service_connection_policy.valkey]
}
