# The first plan: values that Google will choose are unknown, but the number of each resource must
# not depend on them.
mock_provider "google" {}

variables {
  project_id = "demo-project"
  images     = { front = "europe-west1-docker.pkg.dev/demo-project/rl/front@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
}

run "with_an_uptime_check" {
  command = plan
  variables {
    store               = "valkey"
    front               = { ingress = "all" }
    deletion_protection = false
  }
  assert {
    condition = (
      contains(module.monitoring[0].alerts, "uptime")
      && contains(module.monitoring[0].alerts, "store-memory")
    )
    error_message = "There must be alerts for the front, the store and access from outside."
  }
  assert {
    condition     = !module.valkey[0].protected && !module.front[0].protected
    error_message = "deletion_protection = false must apply to all resources."
  }
}
