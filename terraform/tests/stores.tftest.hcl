# The root, with each store in turn: one store, reached over TLS, and the front that is told of it.
mock_provider "google" {
  mock_resource "google_memorystore_instance" {
    defaults = {
      endpoints = [{ connections = [
        { psc_auto_connection = [{
          connection_type = "CONNECTION_TYPE_PRIMARY", ip_address = "10.64.1.9", port = 6379, forwarding_rule = "",
          network         = "", project_id = "", psc_connection_id = "", service_attachment = ""
        }] },
        { psc_auto_connection = [{
          connection_type = "CONNECTION_TYPE_DISCOVERY", ip_address = "10.64.1.8", port = 6379, forwarding_rule = "",
          network         = "", project_id = "", psc_connection_id = "", service_attachment = ""
        }] },
      ] }]
    }
  }
  mock_resource "google_redis_instance" {
    defaults = { host = "10.1.2.3", port = 6378 }
  }
  mock_resource "google_compute_address" {
    defaults = { address = "10.64.1.5" }
  }
}

variables {
  project_id = "demo-project"
  images = {
    front = "europe-west1-docker.pkg.dev/demo-project/rl/front@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    redis = "europe-west1-docker.pkg.dev/demo-project/rl/redis@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
}

run "redis" {
  assert {
    condition     = output.store == "rediss://10.1.2.3:6378"
    error_message = "The front must be told to use TLS, and where: ${output.store}"
  }
  assert {
    condition     = length(module.redis) == 1 && length(module.valkey) == 0 && length(module.vm) == 0
    error_message = "There is one store."
  }
  assert {
    condition     = module.redis[0].endpoint.password != null && !module.redis[0].endpoint.iam
    error_message = "Its password must be mounted."
  }
  assert {
    condition     = output.url != null && startswith(output.next, "RL_SMOKE_IDENTITY=")
    error_message = "The outputs must say where it is, and how to try it."
  }
}

run "valkey" {
  variables { store = "valkey" }
  assert {
    condition     = output.store == "rediss+cluster://10.64.1.8:6379"
    error_message = "The front must be told of the discovery address, TLS and a cluster: ${output.store}"
  }
  assert {
    condition     = length(module.redis) == 0 && length(module.valkey) == 1 && length(module.vm) == 0
    error_message = "There is one store."
  }
  assert {
    condition     = module.valkey[0].endpoint.iam && module.valkey[0].endpoint.password == null
    error_message = "It is logged in to by IAM."
  }
}

run "vm" {
  variables { store = "vm" }
  assert {
    condition     = output.store == "rediss://rl-module@10.64.1.5:6379"
    error_message = "The front must be told to use TLS, the narrow user and the address that stays: ${output.store}"
  }
  assert {
    condition     = length(module.redis) == 0 && length(module.valkey) == 0 && length(module.vm) == 1
    error_message = "There is one store."
  }
  assert {
    condition     = module.vm[0].endpoint.verify == "full" && module.vm[0].endpoint.password != null
    error_message = "Its certificate names the address, so that is looked at; its password must be mounted."
  }
}

run "before_there_are_images" {
  variables {
    store  = "vm"
    images = {}
  }
  assert {
    condition     = length(module.front) == 0 && length(module.vm) == 0 && output.url == null && output.store == null
    error_message = "What runs an image waits for it."
  }
  assert {
    condition     = startswith(output.next, "scripts/deploy") && output.repository != null
    error_message = "The outputs must say where the images go, and what to do."
  }
}

run "a_vm_without_its_image" {
  command = plan
  variables {
    store  = "vm"
    images = { front = "europe-west1-docker.pkg.dev/demo-project/rl/front@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
  }
  assert {
    condition     = length(module.front) == 0
    error_message = "A front without a store would decide by itself."
  }
}
