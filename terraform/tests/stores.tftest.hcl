# The root with each example: only its store is created, reached over TLS, and the front uses it.
mock_provider "google" {
  mock_resource "google_memorystore_instance" {
    override_during = plan
    defaults = {
      endpoints = [{ connections = [
        { psc_auto_connection = [{
          connection_type = "CONNECTION_TYPE_PRIMARY"
          ip_address      = "10.64.4.9"
          port            = 6379
          forwarding_rule = ""
          network         = "", project_id = "", psc_connection_id = "", service_attachment = ""
        }] },
        { psc_auto_connection = [{
          connection_type = "CONNECTION_TYPE_DISCOVERY"
          ip_address      = "10.64.4.8"
          port            = 6379
          forwarding_rule = ""
          network         = "", project_id = "", psc_connection_id = "", service_attachment = ""
        }] },
      ] }]
    }
  }
  mock_resource "google_redis_instance" {
    override_during = plan
    defaults        = { host = "10.1.2.3", port = 6378 }
  }
  mock_resource "google_compute_address" {
    override_during = plan
    defaults        = { address = "10.64.1.5" }
  }
  mock_resource "google_cloud_run_v2_service" {
    override_during = plan
    defaults        = { uri = "https://rl-front-abc-ew.a.run.app" }
  }
  mock_resource "google_artifact_registry_repository" {
    override_during = plan
    defaults        = { registry_uri = "europe-west1-docker.pkg.dev/my-project/rl" }
  }
}

variables {
  project_id = "my-project"
  images = {
    front = "europe-west1-docker.pkg.dev/my-project/rl/front@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    redis = "europe-west1-docker.pkg.dev/my-project/rl/redis@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
}

run "example_redis" {
  command = plan
  module { source = "./tests/example" }
  variables { file = "examples/redis.tfvars" }
}

run "redis" {
  command = plan
  variables {
    project_id = run.example_redis.values.project_id
    store      = run.example_redis.values.store
    front      = run.example_redis.values.front
    alerts     = run.example_redis.values.alerts
  }
  assert {
    condition = (
      toset(keys(run.example_redis.values))
      == toset(["alerts", "front", "project_id", "store"])
    )
    error_message = "This run must use every variable of the example."
  }
  assert {
    condition = alltrue([for group, value in { front = var.front, alerts = var.alerts } :
      length(setsubtract(keys(run.example_redis.values[group]), keys(value))) == 0
    ])
    error_message = "The example must only set attributes that exist."
  }
  assert {
    condition     = output.store == "rediss://10.1.2.3:6378"
    error_message = "The store's URL must have its address, and TLS: ${output.store}"
  }
  assert {
    condition = (
      length(module.redis) == 1
      && length(module.valkey) == 0
      && length(module.vm) == 0
    )
    error_message = "There must be exactly one store."
  }
  assert {
    condition = {
      for name in ["RL_STORE", "RL_REDIS_VERIFY", "RL_REDIS_PASSWORD_FILE"] :
      name => lookup(module.front[0].environment, name, null)
      } == {
      RL_STORE               = "rediss://10.1.2.3:6378"
      RL_REDIS_VERIFY        = "ca"
      RL_REDIS_PASSWORD_FILE = "/etc/rl/password/password"
    }
    error_message = "The front must use that store, and log in with its password."
  }
  assert {
    condition = (
      output.url == "https://rl-front-abc-ew.a.run.app"
      && output.repository == "europe-west1-docker.pkg.dev/my-project/rl"
    )
    error_message = "The outputs must have the front's URL and the image repository."
  }
  assert {
    condition = (
      output.next

      == "RL_SMOKE_IDENTITY=$(gcloud auth print-identity-token) scripts/smoke https://rl-front-abc-ew.a.run.app # from a machine in the VPC"
    )
    error_message = "The next command must check the front from a place that can reach it: ${output.next}"
  }
  assert {
    condition     = output.protected
    error_message = "Deletion protection must be on."
  }
  assert {
    condition = (
      module.monitoring[0].alerts
      == sort(["degraded", "errors", "no-front", "refusing", "slow", "store-cpu", "store-memory"])
    )
    error_message = "There must be an alert for each."
  }
  assert {
    condition = (
      toset([for api in google_project_service.api : api.service if !api.disable_on_destroy])
      == toset([
        for name in [
          "artifactregistry", "cloudresourcemanager", "compute", "iam", "logging", "monitoring",
          "redis", "run", "secretmanager", "servicenetworking",
        ] :
        "${name}.googleapis.com"
      ])
    )
    error_message = "These APIs must be enabled, and must stay enabled after a destroy."
  }
  assert {
    condition = (
      google_artifact_registry_repository.images.docker_config[0].immutable_tags
      && google_artifact_registry_repository.images.format == "DOCKER"
    )
    error_message = "Tags of images must be immutable."
  }
}

run "example_valkey" {
  command = plan
  module { source = "./tests/example" }
  variables { file = "examples/valkey.tfvars" }
}

run "valkey" {
  command = plan
  variables {
    project_id = run.example_valkey.values.project_id
    region     = run.example_valkey.values.region
    store      = run.example_valkey.values.store
    network    = run.example_valkey.values.network
    valkey     = run.example_valkey.values.valkey
    front      = run.example_valkey.values.front
    alerts     = run.example_valkey.values.alerts
  }
  assert {
    condition = (
      toset(keys(run.example_valkey.values))
      == toset(["alerts", "front", "network", "project_id", "region", "store", "valkey"])
    )
    error_message = "This run must use every variable of the example."
  }
  assert {
    condition = alltrue([
      for group, value in {
        front = var.front, alerts = var.alerts, network = var.network, valkey = var.valkey
      } :
      length(setsubtract(keys(run.example_valkey.values[group]), keys(value))) == 0
    ])
    error_message = "The example must only set attributes that exist."
  }
  assert {
    condition     = output.store == "rediss+cluster://10.64.4.8:6379"
    error_message = "The store's URL must have the discovery address, TLS and a cluster: ${output.store}"
  }
  assert {
    condition = (
      length(module.redis) == 0
      && length(module.valkey) == 1
      && length(module.vm) == 0
    )
    error_message = "There must be exactly one store."
  }
  assert {
    condition = {
      for name in ["RL_STORE", "RL_REDIS_IAM", "RL_REDIS_PASSWORD_FILE", "RL_WORKERS"] :
      name => lookup(module.front[0].environment, name, null)
      } == {
      RL_STORE               = "rediss+cluster://10.64.4.8:6379"
      RL_REDIS_IAM           = "google"
      RL_REDIS_PASSWORD_FILE = null
      RL_WORKERS             = "4"
    }
    error_message = "The front must use that store, and log in with IAM."
  }
  assert {
    condition     = output.protected
    error_message = "Deletion protection must be on."
  }
  assert {
    condition = alltrue([
      for api in ["memorystore", "networkconnectivity"] :
      contains(keys(google_project_service.api), api)
    ])
    error_message = "The store's APIs must be enabled."
  }
}

run "example_vm" {
  command = plan
  module { source = "./tests/example" }
  variables { file = "examples/vm.tfvars" }
}

run "vm" {
  command = plan
  variables {
    project_id = run.example_vm.values.project_id
    store      = run.example_vm.values.store
    vm         = run.example_vm.values.vm
    front      = run.example_vm.values.front
    alerts     = run.example_vm.values.alerts
  }
  assert {
    condition = (
      toset(keys(run.example_vm.values))
      == toset(["alerts", "front", "project_id", "store", "vm"])
    )
    error_message = "This run must use every variable of the example."
  }
  assert {
    condition = alltrue([
      for group, value in { front = var.front, alerts = var.alerts, vm = var.vm } :
      length(setsubtract(keys(run.example_vm.values[group]), keys(value))) == 0
    ])
    error_message = "The example must only set attributes that exist."
  }
  assert {
    condition     = output.store == "rediss://rl-module@10.64.1.5:6379"
    error_message = "The store's URL must have the load balancer's address, TLS and the user rl-module: ${output.store}"
  }
  assert {
    condition = (
      length(module.redis) == 0
      && length(module.valkey) == 0
      && length(module.vm) == 1
    )
    error_message = "There must be exactly one store."
  }
  assert {
    condition = {
      for name in ["RL_STORE", "RL_REDIS_VERIFY", "RL_REDIS_PASSWORD_FILE", "RL_TOKENS"] :
      name => lookup(module.front[0].environment, name, null)
      } == {
      RL_STORE               = "rediss://rl-module@10.64.1.5:6379", RL_REDIS_VERIFY = "full"
      RL_REDIS_PASSWORD_FILE = "/etc/rl/password/password", RL_TOKENS = "/etc/rl/tokens/tokens.toml"
    }
    error_message = "The front must use that store, verify the name in its certificate and log in with its password."
  }
  assert {
    condition     = module.vm[0].reachable_from["front"] == toset(["10.64.0.0/24"])
    error_message = "In the VPC, only the front may reach the store."
  }
  assert {
    condition = (
      module.monitoring[0].alerts
      == sort(["degraded", "errors", "no-front", "refusing", "slow", "store-cpu", "uptime"])
    )
    error_message = "There must be an alert for each; Google has no metric of this Redis's memory."
  }
  assert {
    condition = (
      output.next

      == "RL_SMOKE_IDENTITY=$(gcloud auth print-identity-token) scripts/smoke https://rl-front-abc-ew.a.run.app"
    )
    error_message = "The next command must work from anywhere for a front on the internet."
  }
  assert {
    condition     = output.protected && contains(keys(google_project_service.api), "iap")
    error_message = "Deletion protection must be on, and operators must have Identity-Aware Proxy."
  }
}

run "without_images" {
  command = plan
  variables {
    images              = {}
    deletion_protection = false
  }
  assert {
    condition = (
      length(module.front) == 0
      && length(module.monitoring) == 0
      && output.url == null
      && output.store == "rediss://10.1.2.3:6378"
    )
    error_message = "Only what runs an image must wait for it, not the store."
  }
  assert {
    condition = (
      startswith(output.next, "scripts/deploy")
      && output.repository == "europe-west1-docker.pkg.dev/my-project/rl"
    )
    error_message = "The outputs must have the image repository and the next command."
  }
  assert {
    condition     = !module.redis[0].protected && !output.protected
    error_message = "deletion_protection = false must apply to the store."
  }
}

run "a_vm_without_an_image" {
  command = plan
  variables {
    store  = "vm"
    images = { front = "europe-west1-docker.pkg.dev/my-project/rl/front@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
  }
  assert {
    condition     = length(module.vm) == 0 && length(module.front) == 0 && output.store == null
    error_message = "There must be no front without a store."
  }
}

run "without_deletion_protection" {
  command = plan
  variables {
    store               = "vm"
    deletion_protection = false
  }
  assert {
    condition     = !module.vm[0].protected && !module.front[0].protected && !output.protected
    error_message = "deletion_protection = false must apply to all resources."
  }
}
