mock_provider "google" {
  mock_resource "google_secret_manager_secret_version" {
    override_during = plan
    defaults        = { version = "7" }
  }
  mock_resource "google_memorystore_instance" {
    override_during = plan
    defaults = {
      managed_server_ca = [{ ca_certs = [{ certificates = ["one", "root"] }, { certificates = ["two"] }] }]
      endpoints = [{ connections = [{ psc_auto_connection = [{
        connection_type = "CONNECTION_TYPE_DISCOVERY"
        ip_address      = "10.64.1.8"
        port            = 6379
        forwarding_rule = ""
        network         = "", project_id = "", psc_connection_id = "", service_attachment = ""
      }] }] }]
    }
  }
}

variables {
  name       = "rl"
  project_id = "demo-project"
  region     = "europe-west1"
  network    = "projects/demo-project/global/networks/rl"
  client     = "serviceAccount:rl-front@demo-project.iam.gserviceaccount.com"
  config = {
    node_type = "STANDARD_SMALL"
    shards    = 3
    replicas  = 1
    version   = "VALKEY_9_0"
  }
  deletion_protection = true
}

run "valkey" {
  command = plan
  module { source = "./modules/store-valkey" }
  assert {
    condition = (
      can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", google_memorystore_instance.store.instance_id))
      && google_memorystore_instance.store.instance_id == "rl-valkey"
    )
    error_message = "The name needs at least 4 letters, and alerts use it."
  }
  assert {
    condition = (
      google_memorystore_instance.store.shard_count == 3
      && google_memorystore_instance.store.node_type == "STANDARD_SMALL"
      && google_memorystore_instance.store.engine_version == "VALKEY_9_0"
    )
    error_message = "The store must have the configured size and version."
  }
  assert {
    condition = (
      google_memorystore_instance.store.mode == "CLUSTER"
      && google_memorystore_instance.store.replica_count >= 1
    )
    error_message = "The store must be a cluster with replicas for failover."
  }
  assert {
    condition = (
      google_memorystore_instance.store.zone_distribution_config[0].mode
      == "MULTI_ZONE"
    )
    error_message = "Replicas must be in other zones than their primaries."
  }
  assert {
    condition = (
      google_memorystore_instance.store.transit_encryption_mode == "SERVER_AUTHENTICATION"
      && google_memorystore_instance.store.authorization_mode == "IAM_AUTH"
    )
    error_message = "TLS and IAM must be on."
  }
  assert {
    condition = (
      google_memorystore_instance.store.deletion_protection_enabled
      && google_secret_manager_secret.ca.deletion_protection
      && output.protected
    )
    error_message = "Deletion protection must be on."
  }
  assert {
    condition = (
      google_memorystore_instance.store.desired_auto_created_endpoints[0].network
      == var.network
    )
    error_message = "Only the given network may reach the store."
  }
  assert {
    condition = (
      google_memorystore_instance.store.engine_configs["maxmemory-policy"]
      == "volatile-ttl"
    )
    error_message = "At the memory limit, the buckets that are full again soonest must be evicted."
  }
  assert {
    condition = (
      google_project_iam_member.connect.member == var.client
      && google_project_iam_member.connect.role == "roles/memorystore.dbConnectionUser"
      && google_project_iam_member.connect.condition[0].expression
      == "resource.name.endsWith(\"/locations/europe-west1/instances/rl-valkey\")"
    )
    error_message = "The front must have access to this instance only."
  }
  assert {
    condition     = google_secret_manager_secret_version.ca.secret_data == "one\nroot\ntwo"
    error_message = "The front must trust every authority that Google lists."
  }
  assert {
    condition = output.endpoint == {
      url      = "rediss+cluster://10.64.1.8:6379"
      verify   = "ca"
      iam      = true
      password = null
      ca       = { secret = "rl-valkey-ca", version = "7" }
    }
    error_message = "The endpoint must have a cluster's URL, TLS, the authority and the login with IAM."
  }
}

run "without_deletion_protection" {
  command = plan
  module { source = "./modules/store-valkey" }
  variables { deletion_protection = false }
  assert {
    condition = (
      !google_memorystore_instance.store.deletion_protection_enabled
      && !google_secret_manager_secret.ca.deletion_protection
      && !output.protected
    )
    error_message = "deletion_protection = false must apply to all resources."
  }
}
