# Memorystore for Redis: a primary, a replica in another zone for failover, AUTH and TLS. It loads
# no modules: the front uses Lua scripts.
resource "google_redis_instance" "store" {
  name                    = var.name
  tier                    = var.config.tier
  memory_size_gb          = var.config.memory_gb
  redis_version           = var.config.version
  authorized_network      = var.network
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  auth_enabled            = true
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  deletion_protection     = var.deletion_protection
  # At the memory limit, evicts the buckets that are full again soonest (docs/security.md).
  redis_configs = { maxmemory-policy = "volatile-ttl" }

  maintenance_policy {
    weekly_maintenance_window {
      day = "SUNDAY"
      start_time {
        hours = 3
      }
    }
  }
}

resource "google_secret_manager_secret" "password" {
  secret_id           = "${var.name}-redis-auth"
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

# The provider writes the AUTH string into the state at every refresh, as an attribute of the
# instance above: guard the state's bucket like a secret. (With Valkey or the VM, the state has no
# password.)
resource "google_secret_manager_secret_version" "password" {
  secret         = google_secret_manager_secret.password.id
  secret_data_wo = google_redis_instance.store.auth_string
  secret_data_wo_version = nonsensitive(
    substr(sha256(google_redis_instance.store.auth_string), 0, 8)
  )
  lifecycle {
    create_before_destroy = true
  }
}

# Public, but Cloud Run can only mount secrets as files.
resource "google_secret_manager_secret" "ca" {
  secret_id           = "${var.name}-redis-ca"
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "ca" {
  secret      = google_secret_manager_secret.ca.id
  secret_data = join("\n", google_redis_instance.store.server_ca_certs[*].cert)
  lifecycle {
    create_before_destroy = true
  }
}
