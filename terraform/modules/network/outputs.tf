output "id" {
  description = "Id of the VPC."
  value       = local.id
}

output "front_subnetwork" {
  description = "Subnet of the front's instances."
  value       = google_compute_subnetwork.subnet["front"].id
}

output "store_subnetwork" {
  description = "Subnet of the store's VM or of Google's endpoints."
  value       = google_compute_subnetwork.subnet["store"].id
}

output "peered" {
  description = "Id of the VPC, once it is peered with Google's network."
  value       = local.id
  depends_on  = [google_service_networking_connection.peering]
}

output "connected" {
  description = "Id of the VPC, once Google may create endpoints in it."
  value       = local.id
  depends_on  = [google_network_connectivity_service_connection_policy.valkey]
}
