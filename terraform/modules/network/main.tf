# A VPC, or subnets in an existing one, and the connection to Google's stores.
locals {
  id = coalesce(var.config.id, one(google_compute_network.vpc[*].id))
}

resource "google_compute_network" "vpc" {
  count                   = var.config.id == null ? 1 : 0
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "subnet" {
  for_each = {
    front = var.config.front_cidr
    store = var.config.store_cidr
  }
  name                     = "${var.name}-${each.key}"
  network                  = local.id
  region                   = var.region
  ip_cidr_range            = each.value
  private_ip_google_access = true # for Google's APIs without an external address
}

# Memorystore for Redis: private services access, which is a peering with Google's network.
resource "google_compute_global_address" "peering" {
  count         = var.store == "redis" && var.config.connection ? 1 : 0
  name          = "${var.name}-peering"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 24
  network       = local.id
}

resource "google_service_networking_connection" "peering" {
  count                   = length(google_compute_global_address.peering)
  network                 = local.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = google_compute_global_address.peering[*].name
}

# Memorystore for Valkey: this policy lets Google create endpoints in the subnet.
resource "google_network_connectivity_service_connection_policy" "valkey" {
  count         = var.store == "valkey" && var.config.connection ? 1 : 0
  name          = "${var.name}-valkey"
  location      = var.region
  service_class = "gcp-memorystore"
  network       = local.id
  psc_config {
    subnetworks = [google_compute_subnetwork.subnet["store"].id]
  }
}
