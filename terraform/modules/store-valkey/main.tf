# Memorystore for Valkey: a cluster, to which shards can be added in place, with TLS. The login is
# an IAM token that lives an hour, so there is no password. It loads no modules: the front uses Lua
# scripts.
locals {
  id = "${var.name}-valkey" # at least 4 letters
}

resource "google_memorystore_instance" "store" {
  instance_id                 = local.id
  location                    = var.region
  mode                        = "CLUSTER"
  engine_version              = var.config.version
  node_type                   = var.config.node_type
  shard_count                 = var.config.shards
  replica_count               = var.config.replicas
  authorization_mode          = "IAM_AUTH"
  transit_encryption_mode     = "SERVER_AUTHENTICATION"
  deletion_protection_enabled = var.deletion_protection
  # At the memory limit, evicts the buckets that are full again soonest (docs/security.md).
  engine_configs = { maxmemory-policy = "volatile-ttl" }

  desired_auto_created_endpoints {
    network    = var.network
    project_id = var.project_id
  }
  zone_distribution_config {
    mode = "MULTI_ZONE"
  }
  maintenance_policy {
    weekly_maintenance_window {
      day = "SUNDAY"
      start_time {
        hours = 3
      }
    }
  }
}

# For this instance only, not for all instances of the project.
resource "google_project_iam_member" "connect" {
  project = var.project_id
  role    = "roles/memorystore.dbConnectionUser"
  member  = var.client
  condition {
    title = "${var.name}-store"
    # The full name starts with this project's id or number.
    expression = "resource.name.endsWith(\"/locations/${var.region}/instances/${local.id}\")"
  }
}

locals {
  connections = flatten(
    google_memorystore_instance.store.endpoints[*].connections[*].psc_auto_connection
  )
  # The address that clients connect to first; the cluster tells them the others.
  discovery = one([
    for connection in local.connections : connection
    if connection.connection_type == "CONNECTION_TYPE_DISCOVERY"
  ])
}

# Public, but Cloud Run can only mount secrets as files.
resource "google_secret_manager_secret" "ca" {
  secret_id           = "${var.name}-valkey-ca"
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "ca" {
  secret = google_secret_manager_secret.ca.id
  secret_data = join("\n", flatten(
    google_memorystore_instance.store.managed_server_ca[*].ca_certs[*].certificates
  ))
  lifecycle {
    create_before_destroy = true
  }
}
