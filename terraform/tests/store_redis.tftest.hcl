mock_provider "google" {}

variables {
  name                = "rl"
  network             = "projects/demo-project/global/networks/rl"
  config              = { tier = "STANDARD_HA", memory_gb = 5, version = "REDIS_7_2" }
  deletion_protection = true
}

run "redis" {
  module { source = "./modules/store-redis" }
  assert {
    condition     = google_redis_instance.store.tier == "STANDARD_HA"
    error_message = "A replica must be there to take over."
  }
  assert {
    condition     = google_redis_instance.store.transit_encryption_mode == "SERVER_AUTHENTICATION" && google_redis_instance.store.auth_enabled
    error_message = "TLS and AUTH must be on."
  }
  assert {
    condition     = google_redis_instance.store.connect_mode == "PRIVATE_SERVICE_ACCESS" && google_redis_instance.store.authorized_network == var.network
    error_message = "It must be reached from the one network only."
  }
  assert {
    condition     = google_redis_instance.store.deletion_protection && google_secret_manager_secret.password.deletion_protection
    error_message = "It and its password must not be destroyed by mistake."
  }
  assert {
    condition     = google_redis_instance.store.redis_configs["maxmemory-policy"] == "volatile-ttl"
    error_message = "Under pressure the buckets that are full soonest must go first."
  }
  assert {
    condition     = google_secret_manager_secret_version.password.secret_data == null
    error_message = "The state must not hold the password twice."
  }
  assert {
    condition     = output.endpoint.verify == "ca" && startswith(output.endpoint.url, "rediss://")
    error_message = "The front must check the certificate's chain."
  }
}

run "may_be_destroyed_when_told_so" {
  module { source = "./modules/store-redis" }
  variables { deletion_protection = false }
  assert {
    condition     = !google_redis_instance.store.deletion_protection && !google_secret_manager_secret.password.deletion_protection
    error_message = "deletion_protection = false must reach all of it."
  }
}
