mock_provider "google" {}

variables {
  name   = "rl"
  region = "europe-west1"
  store  = "redis"
  config = { id = null, front_cidr = "10.64.0.0/24", store_cidr = "10.64.1.0/28", peering = true }
}

run "a_vpc_of_its_own" {
  module { source = "./modules/network" }
  assert {
    condition     = length(google_compute_network.vpc) == 1 && !google_compute_network.vpc[0].auto_create_subnetworks
    error_message = "It has the subnets that are named here, and no others."
  }
  assert {
    condition     = alltrue([for subnet in google_compute_subnetwork.subnet : subnet.private_ip_google_access])
    error_message = "Without an address on the internet, Google's APIs must be reached by a private way."
  }
  assert {
    condition     = length(google_service_networking_connection.peering) == 1 && length(google_network_connectivity_service_connection_policy.valkey) == 0
    error_message = "Memorystore for Redis is reached by a peering."
  }
}

run "for_valkey" {
  module { source = "./modules/network" }
  variables { store = "valkey" }
  assert {
    condition = (
      length(google_service_networking_connection.peering) == 0
      && google_network_connectivity_service_connection_policy.valkey[0].service_class == "gcp-memorystore"
      && google_network_connectivity_service_connection_policy.valkey[0].psc_config[0].subnetworks == tolist([google_compute_subnetwork.subnet["store"].id])
    )
    error_message = "Memorystore for Valkey is reached by endpoints in the store's subnet."
  }
}

run "in_one_that_exists" {
  module { source = "./modules/network" }
  variables {
    config = { id = "projects/demo-project/global/networks/ours", front_cidr = "10.9.0.0/26", store_cidr = "10.9.1.0/28", peering = false }
  }
  assert {
    condition     = length(google_compute_network.vpc) == 0 && output.id == "projects/demo-project/global/networks/ours"
    error_message = "No other VPC is made."
  }
  assert {
    condition     = length(google_service_networking_connection.peering) == 0
    error_message = "A network has one private services connection: it is left as it is."
  }
}
