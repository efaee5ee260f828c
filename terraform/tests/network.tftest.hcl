mock_provider "google" {
  mock_resource "google_compute_network" {
    override_during = plan
    defaults        = { id = "projects/demo-project/global/networks/rl" }
  }
}

override_resource {
  target          = google_compute_subnetwork.subnet["front"]
  override_during = plan
  values          = { id = "the-front" }
}

override_resource {
  target          = google_compute_subnetwork.subnet["store"]
  override_during = plan
  values          = { id = "the-store" }
}

variables {
  name   = "rl"
  region = "europe-west1"
  store  = "redis"
  config = {
    id         = null
    front_cidr = "10.64.0.0/24"
    store_cidr = "10.64.1.0/28"
    connection = true
  }
}

run "in_a_new_vpc" {
  command = plan
  module { source = "./modules/network" }
  assert {
    condition = (
      length(google_compute_network.vpc) == 1
      && !google_compute_network.vpc[0].auto_create_subnetworks
    )
    error_message = "The VPC must have only the configured subnets."
  }
  assert {
    condition = (
      { for name, subnet in google_compute_subnetwork.subnet : subnet.name => subnet.ip_cidr_range }
      == { rl-front = "10.64.0.0/24", rl-store = "10.64.1.0/28" }
    )
    error_message = "The subnets must have the configured ranges."
  }
  assert {
    condition     = output.front_subnetwork == "the-front" && output.store_subnetwork == "the-store"
    error_message = "The outputs must have each subnet."
  }
  assert {
    condition = alltrue([
      for subnet in google_compute_subnetwork.subnet :
      subnet.private_ip_google_access && subnet.network == output.id
    ])
    error_message = "Instances without an external address need private access to Google's APIs."
  }
  assert {
    condition = (
      length(google_service_networking_connection.peering) == 1
      && length(google_network_connectivity_service_connection_policy.valkey) == 0
    )
    error_message = "Memorystore for Redis must have a peering."
  }
  assert {
    condition = (
      google_compute_global_address.peering[0].purpose == "VPC_PEERING"
      && google_compute_global_address.peering[0].prefix_length <= 24
      && google_service_networking_connection.peering[0].service
      == "servicenetworking.googleapis.com"
    )
    error_message = "Google needs a /24 or larger for its stores."
  }
}

run "for_valkey" {
  command = plan
  module { source = "./modules/network" }
  variables { store = "valkey" }
  assert {
    condition = (
      length(google_service_networking_connection.peering) == 0
      && google_network_connectivity_service_connection_policy.valkey[0].service_class
      == "gcp-memorystore"
      && google_network_connectivity_service_connection_policy.valkey[0].location == var.region
      && google_network_connectivity_service_connection_policy.valkey[0].network
      == "projects/demo-project/global/networks/rl"
      && google_network_connectivity_service_connection_policy.valkey[0].psc_config[0].subnetworks
      == tolist(["the-store"])
    )
    error_message = "Memorystore for Valkey must have endpoints in the store's subnet."
  }
}

run "in_an_existing_vpc" {
  command = plan
  module { source = "./modules/network" }
  variables {
    config = {
      id         = "projects/demo-project/global/networks/ours"
      front_cidr = "10.9.0.0/26"
      store_cidr = "10.9.1.0/28"
      connection = false
    }
  }
  assert {
    condition = (
      length(google_compute_network.vpc) == 0
      && output.id == "projects/demo-project/global/networks/ours"
    )
    error_message = "No VPC must be created."
  }
  assert {
    condition     = length(google_service_networking_connection.peering) == 0
    error_message = "An existing private services connection must stay as it is."
  }
}

run "in_a_vpc_with_a_policy_for_valkey" {
  command = plan
  module { source = "./modules/network" }
  variables {
    store = "valkey"
    config = {
      id         = "projects/demo-project/global/networks/ours"
      front_cidr = "10.9.0.0/26"
      store_cidr = "10.9.1.0/28"
      connection = false
    }
  }
  assert {
    condition     = length(google_network_connectivity_service_connection_policy.valkey) == 0
    error_message = "An existing service connection policy must stay as it is."
  }
}
