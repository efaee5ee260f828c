# Invalid values are refused before anything is created, by a rule that says how to fix them. Each
# run breaks the next rule of each variable; the rules of front, which network uses, come last.
# tests/variables has only the root's variables.tf, so that runs need no provider.
variables {
  project_id = "demo-project"
}

run "defaults" {
  command = plan
  module { source = "./tests/variables" }
  assert {
    condition = (
      var.redis.tier == "STANDARD_HA"
      && var.valkey.replicas >= 1
      && var.front.min_instances >= 2
    )
    error_message = "By default the store and the front must survive the loss of one instance."
  }
  assert {
    condition = (
      var.front.ingress == "internal"
      && length(var.front.invokers) == 0
      && var.deletion_protection
    )
    error_message = "By default the front must be internal without invokers, and deletion protection on."
  }
}

run "upper_ends" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    alerts = {
      emails   = ["oncall@example.com"]
      channels = ["projects/demo-project/notificationChannels/1"]
    }
    front = {
      invokers = [
        "serviceAccount:api@demo-project.iam.gserviceaccount.com",
        "group:team@example.com",
        "allUsers",
      ]
      concurrency   = 1000
      cpu           = 6
      memory        = "24Gi"
      deadline_ms   = 4000
      tokens_secret = { secret = "tokens", version = "10" }
      key_secret    = { secret = "key", version = "1" }
      min_instances = 16
      max_instances = 16
    }
    images = { front = "europe-west1-docker.pkg.dev/demo-project/rl/front@sha256:0000000000000000000000000000000000000000000000000000000000000000" }
    labels = { team = "api", cost-center = "" }
    name   = "a-name-of-16-let"
    network = {
      id         = "projects/demo-project/global/networks/ours"
      front_cidr = "10.0.0.0/26"
      store_cidr = "10.0.0.64/29"
      connection = false
    }
    policies_file = "policies.toml"
    redis         = { tier = "BASIC", memory_gb = 300, version = "REDIS_6_X" }
    region        = "northamerica-northeast1"
    store         = "vm"
    valkey = {
      node_type = "SHARED_CORE_NANO"
      shards    = 250
      replicas  = 0
      version   = "VALKEY_9_1"
    }
    vm = { machine_type = "c3-highmem-4", zone = "f", disk_gb = 10 }
  }
}

run "lower_ends" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = {
      ingress       = "all"
      concurrency   = 1
      cpu           = 1
      deadline_ms   = 1
      min_instances = 1
      max_instances = 1
    }
    name   = "rl"
    redis  = { memory_gb = 1 }
    store  = "valkey"
    valkey = { shards = 1, replicas = 5 }
    vm     = { zone = "a" }
  }
}

run "a_load_balancer_and_four_processors" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { ingress = "load-balancer", cpu = 4, memory = "2Gi" }
  }
}

run "broken_1" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    alerts        = { emails = ["oncall"] }
    images        = { front = "europe-west1-docker.pkg.dev/demo-project/rl/front:latest" }
    labels        = { Team = "api" }
    name          = "RL"
    network       = { id = "projects/demo-project/networks/ours" }
    policies_file = "no-such-file.toml"
    redis         = { tier = "STANDARD" }
    region        = "europe-west1-b"
    store         = "memcached"
    valkey        = { node_type = "standard-small" }
    vm            = { zone = "europe-west1-b" }
  }
  expect_failures = [
    var.alerts,
    var.images,
    var.labels,
    var.name,
    var.network,
    var.policies_file,
    var.redis,
    var.region,
    var.store,
    var.valkey,
    var.vm,
  ]
}

run "broken_2" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    alerts  = { channels = ["1234"] }
    images  = { redis = "europe-west1-docker.pkg.dev/demo-project/rl/redis@sha256:0123" }
    labels  = { team = "API team" }
    name    = "r"
    network = { id = "projects/another-project/global/networks/ours" }
    redis   = { memory_gb = 0 }
    valkey  = { shards = 0 }
    vm      = { machine_type = "n4-standard-2" }
  }
  expect_failures = [
    var.alerts,
    var.images,
    var.labels,
    var.name,
    var.network,
    var.redis,
    var.valkey,
    var.vm,
  ]
}

run "broken_3" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name    = "a-name-of-letters"
    network = { connection = false }
    redis   = { memory_gb = 301 }
    valkey  = { shards = 126 }
    vm      = { disk_gb = 9 }
  }
  expect_failures = [var.name, var.network, var.redis, var.valkey, var.vm]
}

run "broken_4" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name    = "rl-"
    network = { front_cidr = "10.64.0.1/24" }
    redis   = { version = "7.2" }
    valkey  = { replicas = 6 }
  }
  expect_failures = [var.name, var.network, var.redis, var.valkey]
}

run "broken_5" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    network = { store_cidr = "10.64.1.1/28" }
    valkey  = { version = "9" }
  }
  expect_failures = [var.network, var.valkey]
}

run "broken_6" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    network = { store_cidr = "fd00::/24" }
  }
  expect_failures = [var.network]
}

run "broken_7" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    network = { store_cidr = "10.64.1.0/30" }
  }
  expect_failures = [var.network]
}

run "broken_8" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    network = { front_cidr = "10.64.0.0/23" }
  }
  expect_failures = [var.network]
}

run "broken_9" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    network = { store_cidr = "10.64.0.0/16" }
  }
  expect_failures = [var.network]
}

run "broken_10" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    network = { front_cidr = "10.64.0.0/26" }
  }
  expect_failures = [var.network]
}

run "broken_11" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    network = { front_cidr = "10.64.0.0/27" }
    front   = { max_instances = 2 }
  }
  expect_failures = [var.network]
}

run "front_broken_by_a_version_that_moves" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { tokens_secret = { secret = "tokens", version = "latest" } }
  }
  expect_failures = [var.front]
}

run "front_broken_by_a_key_that_moves" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { key_secret = { secret = "key", version = "latest" } }
  }
  expect_failures = [var.front]
}

run "front_broken_1" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front      = { ingress = "INGRESS_TRAFFIC_ALL" }
    project_id = "123456789012"
  }
  expect_failures = [var.front, var.project_id]
}

run "front_broken_2" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { invokers = ["api@demo-project.iam.gserviceaccount.com"] }
  }
  expect_failures = [var.front]
}

run "front_broken_3" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { ingress = "all", invokers = ["allUsers"] }
  }
  expect_failures = [var.front]
}

run "front_broken_4" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { ingress = "load-balancer", invokers = ["allAuthenticatedUsers"] }
  }
  expect_failures = [var.front]
}

run "front_broken_5" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { min_instances = 0 }
  }
  expect_failures = [var.front]
}

run "front_broken_6" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { min_instances = 5, max_instances = 4 }
  }
  expect_failures = [var.front]
}

run "front_broken_7" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { concurrency = 0 }
  }
  expect_failures = [var.front]
}

run "front_broken_8" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { concurrency = 1001 }
  }
  expect_failures = [var.front]
}

run "front_broken_9" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { cpu = 0.5 }
  }
  expect_failures = [var.front]
}

run "front_broken_10" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { cpu = 8, memory = "8Gi" }
  }
  expect_failures = [var.front]
}

run "front_broken_11" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { memory = "512" }
  }
  expect_failures = [var.front]
}

run "front_broken_12" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { memory = "256Mi" }
  }
  expect_failures = [var.front]
}

run "front_broken_13" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { cpu = 4 }
  }
  expect_failures = [var.front]
}

run "front_broken_14" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { cpu = 6, memory = "3Gi" }
  }
  expect_failures = [var.front]
}

run "front_broken_15" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { cpu = 1, memory = "5Gi" }
  }
  expect_failures = [var.front]
}

run "front_broken_16" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { deadline_ms = 0 }
  }
  expect_failures = [var.front]
}

run "front_broken_17" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    front = { deadline_ms = 4001 }
  }
  expect_failures = [var.front]
}
