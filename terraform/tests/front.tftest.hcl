mock_provider "google" {
  mock_resource "google_secret_manager_secret_version" {
    override_during = plan
    defaults        = { version = "7" }
  }
  mock_resource "google_cloud_run_v2_service" {
    override_during = plan
    defaults        = { uri = "https://rl-front-abc-ew.a.run.app" }
  }
}

variables {
  name                = "rl"
  project_id          = "demo-project"
  region              = "europe-west1"
  network             = "projects/demo-project/global/networks/rl"
  subnetwork          = "projects/demo-project/regions/europe-west1/subnetworks/rl-front"
  account             = "rl-front@demo-project.iam.gserviceaccount.com"
  policies            = "[policies.default]\ncapacity = 100\nrate = \"100/m\"\n"
  deletion_protection = true
  image               = "europe-west1-docker.pkg.dev/demo-project/rl/front@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  store = {
    url      = "rediss://10.1.2.3:6378", verify = "ca", iam = false
    ca       = { secret = "rl-redis-ca", version = "3" }
    password = { secret = "rl-redis-auth", version = "4" }
  }
  config = {
    invokers      = ["serviceAccount:api@demo-project.iam.gserviceaccount.com"]
    ingress       = "internal"
    min_instances = 2
    max_instances = 20
    concurrency   = 500
    cpu           = 2
    memory        = "512Mi"
    deadline_ms   = 50
    metrics       = true
    tokens_secret = null, key_secret = null
  }
}

run "front" {
  command = plan
  module { source = "./modules/front" }
  assert {
    condition     = google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "By default the internet must not reach the front."
  }
  assert {
    condition = (
      { for grant in google_cloud_run_v2_service_iam_member.invoker : grant.member => grant.role }
      == { "serviceAccount:api@demo-project.iam.gserviceaccount.com" = "roles/run.invoker" }
    )
    error_message = "Only the named invokers may call the front."
  }
  assert {
    condition     = google_cloud_run_v2_service.front.invoker_iam_disabled != true
    error_message = "IAM must check callers."
  }
  assert {
    condition = alltrue([
      google_cloud_run_v2_service.front.deletion_protection,
      google_secret_manager_secret.policies.deletion_protection,
      google_secret_manager_secret.scrape[0].deletion_protection, output.protected,
    ])
    error_message = "Deletion protection must be on for the service and its secrets."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].containers[0].image == var.image
      && google_cloud_run_v2_service.front.template[0].containers[0].ports[0].container_port == 8080
    )
    error_message = "The front must run the given image, on Cloud Run's port."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].vpc_access[0].network_interfaces[0].subnetwork
      == var.subnetwork
      && google_cloud_run_v2_service.front.template[0].vpc_access[0].egress == "PRIVATE_RANGES_ONLY"
    )
    error_message = "The front must have direct egress from the subnet that the store's firewall allows."
  }
  assert {
    condition     = google_cloud_run_v2_service.front.template[0].service_account == var.account
    error_message = "The front must run as its own service account."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].scaling[0].min_instance_count == 2
      && google_cloud_run_v2_service.front.template[0].scaling[0].max_instance_count == 20
    )
    error_message = "The numbers of instances must be as configured."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].max_instance_request_concurrency == 500
      && google_cloud_run_v2_service.front.template[0].timeout == "5s"
    )
    error_message = "The concurrency must be as configured, and the timeout no longer than the front's own."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].execution_environment
      == "EXECUTION_ENVIRONMENT_GEN2"
      && alltrue([
        for container in google_cloud_run_v2_service.front.template[0].containers :
        !container.resources[0].cpu_idle
      ])
      && google_cloud_run_v2_service.front.template[0].containers[0].resources[0].limits
      == tomap({ cpu = "2", memory = "512Mi" })
    )
    error_message = "CPU must be allocated between requests too, for connections to the store and for metrics."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].containers[0].startup_probe[0].http_get[0].path
      == "/health/ready"
      && google_cloud_run_v2_service.front.template[0].containers[0].liveness_probe[0].http_get[0].path
      == "/health/live"
    )
    error_message = "Startup must wait for readiness; the liveness probe must not use readiness, which depends on the store."
  }
  assert {
    condition = alltrue([
      for probe in concat(
        google_cloud_run_v2_service.front.template[0].containers[0].startup_probe,
        google_cloud_run_v2_service.front.template[0].containers[0].liveness_probe
      ) :
      probe.timeout_seconds <= probe.period_seconds
      && probe.period_seconds * probe.failure_threshold <= 240
      && probe.period_seconds * probe.failure_threshold >= 20
    ])
    error_message = "Probes must be within Cloud Run's bounds, and allow the front 10 s to be ready."
  }
  assert {
    condition = {
      for env in google_cloud_run_v2_service.front.template[0].containers[0].env :
      env.name => env.value
      } == {
      RL_STORE               = "rediss://10.1.2.3:6378"
      RL_REDIS_VERIFY        = "ca"
      RL_REDIS_CA            = "/etc/rl/ca/ca.pem"
      RL_REDIS_PASSWORD_FILE = "/etc/rl/password/password"
      RL_CONFIG              = "/etc/rl/policies/policies.toml"
      RL_RELOAD              = "signal"
      RL_ADMIN_LISTEN        = "127.0.0.1:9090"
      RL_DEADLINE_MS         = "50"
      RL_WORKERS             = "2"
      RL_LOG_FORMAT          = "json"
    }
    error_message = "The settings must be exactly these; none is a secret."
  }
  assert {
    condition = {
      for volume in google_cloud_run_v2_service.front.template[0].volumes : volume.name => join("/", [
        volume.secret[0].secret, volume.secret[0].items[0].path, volume.secret[0].items[0].version,
      ])
      } == {
      ca       = "rl-redis-ca/ca.pem/3"
      password = "rl-redis-auth/password/4"
      policies = "rl-policies/policies.toml/7"
      scrape   = "rl-scrape/config.yaml/7"
    }
    error_message = "The files must be secrets, each at a version."
  }
  assert {
    condition = [
      for mount in google_cloud_run_v2_service.front.template[0].containers[0].volume_mounts :
      "${mount.name}:${mount.mount_path}"
      ] == [
      "ca:/etc/rl/ca", "password:/etc/rl/password", "policies:/etc/rl/policies"
    ]
    error_message = "The files must be at the paths of the settings, without the collector's."
  }
  assert {
    condition = (
      toset([for grant in google_secret_manager_secret_iam_member.read : grant.secret_id])
      == toset(["rl-redis-ca", "rl-redis-auth", "rl-policies", "rl-scrape"])
      && alltrue([
        for grant in google_secret_manager_secret_iam_member.read :
        grant.role == "roles/secretmanager.secretAccessor"
        && grant.member == "serviceAccount:${var.account}"
      ])
    )
    error_message = "The front may read its own files, and no other secret."
  }
  assert {
    condition     = google_secret_manager_secret_version.policies.secret_data == null
    error_message = "Policies must not be in the state, as they may name customers."
  }
  assert {
    condition = (
      google_secret_manager_secret_version.policies.secret_data_wo_version
      == substr(sha256(var.policies), 0, 8)
      && google_secret_manager_secret_version.policies.deletion_policy == "ABANDON"
    )
    error_message = "A new policy file must be a new version, and the old version must stay for roll-backs."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].containers[1].depends_on == tolist(["front"])
      && [
        for mount in google_cloud_run_v2_service.front.template[0].containers[1].volume_mounts :
        "${mount.name}:${mount.mount_path}"
      ]
      == ["scrape:/etc/rungmp"]
    )
    error_message = "The collector must start after the front, with only its own file."
  }
  assert {
    condition = (
      can(regex(":[0-9]+\\.[0-9]+\\.[0-9]+$", google_cloud_run_v2_service.front.template[0].containers[1].image))
      && tonumber(google_cloud_run_v2_service.front.template[0].containers[1].resources[0].limits["cpu"]) >= 1
    )
    error_message = "The collector must have a pinned version and a whole processor: with less, Cloud Run allows one request at a time."
  }
  assert {
    condition = (
      toset([for grant in google_project_iam_member.metrics : "${grant.role} ${grant.member}"])
      == toset([
        for role in ["monitoring.metricWriter", "logging.logWriter"] :
        "roles/${role} serviceAccount:${var.account}"
      ])
    )
    error_message = "In the project, the front may only write metrics and logs."
  }
  assert {
    condition = (
      yamldecode(google_secret_manager_secret_version.scrape[0].secret_data).spec.endpoints[0].port
      == 9090
      && yamldecode(google_secret_manager_secret_version.scrape[0].secret_data).metadata.name
      == "rl"
    )
    error_message = "The collector must scrape the admin port, as the job rl."
  }
  assert {
    condition = (
      output.url == "https://rl-front-abc-ew.a.run.app"
      && output.host == "rl-front-abc-ew.a.run.app"
    )
    error_message = "The outputs must have the front's URL and host."
  }
}

run "with_a_login_by_iam_tokens_and_a_key_secret" {
  command = plan
  module { source = "./modules/front" }
  variables {
    deletion_protection = false
    store = {
      url = "rediss+cluster://10.64.1.8:6379", verify = "full", iam = true
      ca  = { secret = "rl-valkey-ca", version = "3" }, password = null
    }
    config = {
      invokers      = [], ingress = "load-balancer"
      min_instances = 1
      max_instances = 1
      concurrency   = 80
      cpu           = 1
      memory        = "512Mi"
      deadline_ms   = 50
      metrics       = false
      tokens_secret = { secret = "my-tokens", version = "5" }
      key_secret    = { secret = "my-key", version = "6" }
    }
  }
  assert {
    condition = alltrue([for name, value in {
      RL_REDIS_IAM       = "google"
      RL_REDIS_VERIFY    = "full"
      RL_TOKENS          = "/etc/rl/tokens/tokens.toml"
      RL_KEY_SECRET_FILE = "/etc/rl/key/secret"
      } : contains([
        for env in google_cloud_run_v2_service.front.template[0].containers[0].env :
        "${env.name}=${env.value}"
    ], "${name}=${value}")])
    error_message = "The front must log in with IAM tokens, and use its own secrets."
  }
  assert {
    condition = {
      for volume in google_cloud_run_v2_service.front.template[0].volumes : volume.name => join("/", [
        volume.secret[0].secret, volume.secret[0].items[0].path, volume.secret[0].items[0].version,
      ])
      } == {
      ca       = "rl-valkey-ca/ca.pem/3"
      policies = "rl-policies/policies.toml/7"
      tokens   = "my-tokens/tokens.toml/5"
      key      = "my-key/secret/6"
    }
    error_message = "Your own secrets must be mounted at the given versions, not at the latest."
  }
  assert {
    condition = !contains(
      google_cloud_run_v2_service.front.template[0].containers[0].env[*].name,
      "RL_REDIS_PASSWORD_FILE"
    )
    error_message = "There must be no password."
  }
  assert {
    condition = (
      length(google_cloud_run_v2_service.front.template[0].containers) == 1
      && length(google_project_iam_member.metrics) == 0
    )
    error_message = "Without metrics there must be no collector and no permission to write metrics."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
      && length(google_cloud_run_v2_service_iam_member.invoker) == 0
    )
    error_message = "A load balancer must reach the front; only named invokers may call it."
  }
  assert {
    condition = (
      !google_cloud_run_v2_service.front.deletion_protection
      && !google_secret_manager_secret.policies.deletion_protection
      && !output.protected
    )
    error_message = "deletion_protection = false must apply to all resources."
  }
}

run "a_policy_file_too_large_for_a_secret" {
  command = plan
  module { source = "./modules/front" }
  variables { policies = format("%070000d", 0) }
  expect_failures = [var.policies]
}

run "all" {
  command = plan
  module { source = "./modules/front" }
  variables {
    config = {
      invokers      = []
      ingress       = "all"
      min_instances = 1
      max_instances = 1
      concurrency   = 80
      cpu           = 1
      memory        = "512Mi"
      deadline_ms   = 50
      metrics       = false
      tokens_secret = null, key_secret = null
    }
  }
  assert {
    condition     = google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_ALL"
    error_message = "The internet must reach the front if ingress is all."
  }
}
