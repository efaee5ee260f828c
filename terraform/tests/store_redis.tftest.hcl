mock_provider "google" {
  mock_resource "google_redis_instance" {
    override_during = plan
    defaults = {
      host        = "10.1.2.3"
      port        = 6378
      auth_string = "5f0c3b5e-0d5a-4a8e-9d4b-2f1f6a1c9e77"
      server_ca_certs = [
        { cert = "one", create_time = "", expire_time = "", serial_number = "", sha1_fingerprint = "" },
        { cert = "two", create_time = "", expire_time = "", serial_number = "", sha1_fingerprint = "" },
      ]
    }
  }
  mock_resource "google_secret_manager_secret_version" {
    override_during = plan
    defaults        = { version = "7" }
  }
}

variables {
  name                = "rl"
  network             = "projects/demo-project/global/networks/rl"
  config              = { tier = "STANDARD_HA", memory_gb = 5, version = "REDIS_7_2" }
  deletion_protection = true
}

run "redis" {
  command = plan
  module { source = "./modules/store-redis" }
  assert {
    condition     = google_redis_instance.store.tier == "STANDARD_HA"
    error_message = "There must be a replica for failover."
  }
  assert {
    condition = (
      google_redis_instance.store.transit_encryption_mode == "SERVER_AUTHENTICATION"
      && google_redis_instance.store.auth_enabled
    )
    error_message = "TLS and AUTH must be on."
  }
  assert {
    condition = (
      google_redis_instance.store.connect_mode == "PRIVATE_SERVICE_ACCESS"
      && google_redis_instance.store.authorized_network == var.network
    )
    error_message = "Only the given network may reach the store."
  }
  assert {
    condition = (
      google_redis_instance.store.deletion_protection
      && google_secret_manager_secret.password.deletion_protection
      && google_secret_manager_secret.ca.deletion_protection
      && output.protected
    )
    error_message = "Deletion protection must be on for the store and its secrets."
  }
  assert {
    condition     = google_redis_instance.store.redis_configs["maxmemory-policy"] == "volatile-ttl"
    error_message = "At the memory limit, the buckets that are full again soonest must be evicted."
  }
  assert {
    condition = (
      google_secret_manager_secret_version.password.secret_data == null
      && google_secret_manager_secret_version.password.secret_data_wo_version
      == substr(sha256("5f0c3b5e-0d5a-4a8e-9d4b-2f1f6a1c9e77"), 0, 8)
    )
    error_message = "The state must not have a second copy of the password; a new password must be a new version."
  }
  assert {
    condition     = google_secret_manager_secret_version.ca.secret_data == "one\ntwo"
    error_message = "The front must trust both authorities during a rotation."
  }
  assert {
    condition = output.endpoint == {
      url      = "rediss://10.1.2.3:6378", verify = "ca", iam = false
      ca       = { secret = "rl-redis-ca", version = "7" }
      password = { secret = "rl-redis-auth", version = "7" }
    }
    error_message = "The endpoint must have TLS, the authority and the password."
  }
  assert {
    condition = (
      google_redis_instance.store.redis_version == "REDIS_7_2"
      && google_redis_instance.store.memory_size_gb == 5
      && length(google_redis_instance.store.maintenance_policy) == 1
    )
    error_message = "The store must have the configured size and version, and a maintenance window."
  }
}

run "without_deletion_protection" {
  command = plan
  module { source = "./modules/store-redis" }
  variables { deletion_protection = false }
  assert {
    condition = (
      !google_redis_instance.store.deletion_protection
      && !google_secret_manager_secret.password.deletion_protection
      && !google_secret_manager_secret.ca.deletion_protection
      && !output.protected
    )
    error_message = "deletion_protection = false must apply to all resources."
  }
}
