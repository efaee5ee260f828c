# Memorystore for Valkey, a cluster: shards are added in place. TLS; who may log in says IAM, with tokens that live an
# hour, so there is no password. Scripts: it loads no modules.
locals {
  id = "${var.name}-valkey" # of 4 letters or more
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
  # Under pressure those buckets go that are full again soonest (docs/security.md).
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

# To this instance, not to every one of the project.
resource "google_project_iam_member" "connect" {
  project = var.project_id
  role    = "roles/memorystore.dbConnectionUser"
  member  = var.client
  condition {
    title      = "${var.name}-store"
    expression = "resource.name.endsWith(\"/locations/${var.region}/instances/${local.id}\")" # the project, by id or number, is this one
  }
}

locals {
  # The one address that clients begin with; the cluster tells them the others.
  discovery = one([
    for connection in flatten(google_memorystore_instance.store.endpoints[*].connections[*].psc_auto_connection) : connection
    if connection.connection_type == "CONNECTION_TYPE_DISCOVERY"
  ])
}

# Public, but a file: Cloud Run mounts those from here.
resource "google_secret_manager_secret" "ca" {
  secret_id           = "${var.name}-valkey-ca"
  deletion_protection = var.deletion_protection
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "ca" {
  secret      = google_secret_manager_secret.ca.id
  secret_data = join("\n", flatten(google_memorystore_instance.store.managed_server_ca[*].ca_certs[*].certificates))
  lifecycle {
    create_before_destroy = true
  }
}
