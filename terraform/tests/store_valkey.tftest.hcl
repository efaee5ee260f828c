mock_provider "google" {
  mock_resource "google_memorystore_instance" {
    defaults = {
      endpoints = [{ connections = [{ psc_auto_connection = [{
        connection_type = "CONNECTION_TYPE_DISCOVERY", ip_address = "10.64.1.8", port = 6379, forwarding_rule = "",
        network         = "", project_id = "", psc_connection_id = "", service_attachment = ""
      }] }] }]
    }
  }
}

variables {
  name                = "rl"
  project_id          = "demo-project"
  region              = "europe-west1"
  network             = "projects/demo-project/global/networks/rl"
  client              = "serviceAccount:rl-front@demo-project.iam.gserviceaccount.com"
  config              = { node_type = "STANDARD_SMALL", shards = 3, replicas = 1, version = "VALKEY_9_0" }
  deletion_protection = true
}

run "valkey" {
  module { source = "./modules/store-valkey" }
  assert {
    condition     = google_memorystore_instance.store.mode == "CLUSTER" && google_memorystore_instance.store.replica_count >= 1
    error_message = "It must be a cluster, with replicas to take over."
  }
  assert {
    condition     = google_memorystore_instance.store.zone_distribution_config[0].mode == "MULTI_ZONE"
    error_message = "Replicas must be in other zones."
  }
  assert {
    condition     = google_memorystore_instance.store.transit_encryption_mode == "SERVER_AUTHENTICATION" && google_memorystore_instance.store.authorization_mode == "IAM_AUTH"
    error_message = "TLS and IAM must be on."
  }
  assert {
    condition     = google_memorystore_instance.store.deletion_protection_enabled
    error_message = "It must not be destroyed by mistake."
  }
  assert {
    condition     = google_memorystore_instance.store.engine_configs["maxmemory-policy"] == "volatile-ttl"
    error_message = "Under pressure the buckets that are full soonest must go first."
  }
  assert {
    condition = (
      google_project_iam_member.connect.member == var.client && google_project_iam_member.connect.role == "roles/memorystore.dbConnectionUser"
      && strcontains(google_project_iam_member.connect.condition[0].expression, "instances/rl\"")
    )
    error_message = "The front may log in to this instance, and to no other."
  }
}
