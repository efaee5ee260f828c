# What cannot work is refused before anything is made, by the rule that says how to mend it. Each run breaks one rule of each
# variable, in the order of variables.tf.
mock_provider "google" {}

variables {
  project_id = "demo-project"
}

run "the_least_that_must_be_said" {
  command = plan
}

run "rule_1" {
  command = plan
  variables {
    alerts        = { emails = ["oncall"] }
    front         = { ingress = "INGRESS_TRAFFIC_ALL" }
    images        = { front = "europe-west1-docker.pkg.dev/demo-project/rl/front:latest" }
    name          = "RL"
    network       = { id = "default" }
    policies_file = "no-such-file.toml"
    project_id    = "123456789012"
    redis         = { tier = "STANDARD" }
    region        = "europe-west1-b"
    store         = "memcached"
    valkey        = { node_type = "standard-small" }
    vm            = { zone = "europe-west1-b" }
  }
  expect_failures = [var.alerts, var.front, var.images, var.name, var.network, var.policies_file, var.project_id, var.redis, var.region, var.store, var.valkey, var.vm]
}

run "rule_2" {
  command = plan
  variables {
    alerts  = { channels = ["1234"] }
    front   = { invokers = ["api@demo-project.iam.gserviceaccount.com"] }
    images  = { redis = "europe-west1-docker.pkg.dev/demo-project/rl/redis:latest" }
    name    = "a-name-of-seventeen"
    network = { store_cidr = "10.64.1.0" }
    redis   = { memory_gb = 0 }
    valkey  = { shards = 126 }
    vm      = { disk_gb = 9 }
  }
  expect_failures = [var.alerts, var.front, var.images, var.name, var.network, var.redis, var.valkey, var.vm]
}

run "rule_3" {
  command = plan
  variables {
    front   = { ingress = "all", invokers = ["allUsers"] }
    name    = "rl-"
    network = { front_cidr = "10.64.0.0/27" }
    redis   = { version = "7.2" }
    valkey  = { replicas = 6 }
  }
  expect_failures = [var.front, var.name, var.network, var.redis, var.valkey]
}

run "rule_4" {
  command = plan
  variables {
    front  = { min_instances = 0 }
    valkey = { version = "9" }
  }
  expect_failures = [var.front, var.valkey]
}

run "rule_5" {
  command = plan
  variables {
    front = { min_instances = 5, max_instances = 4 }
  }
  expect_failures = [var.front]
}

run "rule_6" {
  command = plan
  variables {
    front = { concurrency = 1001 }
  }
  expect_failures = [var.front]
}

run "rule_7" {
  command = plan
  variables {
    front = { cpu = 0.5 }
  }
  expect_failures = [var.front]
}

run "rule_8" {
  command = plan
  variables {
    front = { deadline_ms = 0 }
  }
  expect_failures = [var.front]
}
