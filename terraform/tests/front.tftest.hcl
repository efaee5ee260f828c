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
    url = "rediss://10.1.2.3:6378", verify = "ca", iam = false
    ca  = { secret = "rl-redis-ca", version = "3" }, password = { secret = "rl-redis-auth", version = "4" }
  }
  config = {
    invokers      = ["serviceAccount:api@demo-project.iam.gserviceaccount.com"]
    ingress       = "internal", min_instances = 2, max_instances = 20, concurrency = 500, cpu = 2, memory = "512Mi", deadline_ms = 50, metrics = true
    tokens_secret = null, key_secret = null
  }
}

run "front" {
  command = plan
  module { source = "./modules/front" }
  assert {
    condition     = google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "The internet must not reach it unless it is asked to."
  }
  assert {
    condition = (
      { for grant in google_cloud_run_v2_service_iam_member.invoker : grant.member => grant.role }
      == { "serviceAccount:api@demo-project.iam.gserviceaccount.com" = "roles/run.invoker" }
    )
    error_message = "Those who are named may call it, and nobody else."
  }
  assert {
    condition     = google_cloud_run_v2_service.front.invoker_iam_disabled != true
    error_message = "IAM must be asked about callers."
  }
  assert {
    condition = alltrue([
      google_cloud_run_v2_service.front.deletion_protection, google_secret_manager_secret.policies.deletion_protection,
      google_secret_manager_secret.scrape[0].deletion_protection, output.protected,
    ])
    error_message = "The service and its secrets must not be destroyed by mistake."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].containers[0].image == var.image
      && google_cloud_run_v2_service.front.template[0].containers[0].ports[0].container_port == 8080
    )
    error_message = "It must be the image that was named, on the port that Cloud Run is told of."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].vpc_access[0].network_interfaces[0].subnetwork == var.subnetwork
      && google_cloud_run_v2_service.front.template[0].vpc_access[0].egress == "PRIVATE_RANGES_ONLY"
    )
    error_message = "It must reach the store by direct egress, from the subnet that the store's firewall lets in."
  }
  assert {
    condition     = google_cloud_run_v2_service.front.template[0].service_account == var.account
    error_message = "It must run under its own account, which may do little."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].scaling[0].min_instance_count == 2
      && google_cloud_run_v2_service.front.template[0].scaling[0].max_instance_count == 20
    )
    error_message = "There must be as many instances as was said."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].max_instance_request_concurrency == 500
      && google_cloud_run_v2_service.front.template[0].timeout == "5s"
    )
    error_message = "An instance must take as many requests at a time as was said, and hold none for longer than the front itself."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].execution_environment == "EXECUTION_ENVIRONMENT_GEN2"
      && alltrue([for container in google_cloud_run_v2_service.front.template[0].containers : !container.resources[0].cpu_idle])
      && google_cloud_run_v2_service.front.template[0].containers[0].resources[0].limits == tomap({ cpu = "2", memory = "512Mi" })
    )
    error_message = "It must have its processors between requests too: connections to the store and metrics go on."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].containers[0].startup_probe[0].http_get[0].path == "/health/ready"
      && google_cloud_run_v2_service.front.template[0].containers[0].liveness_probe[0].http_get[0].path == "/health/live"
    )
    error_message = "An instance gets traffic when it is ready, and is replaced when it is dead. Readiness must not kill it: it speaks of the store."
  }
  assert {
    condition = alltrue([for probe in concat(google_cloud_run_v2_service.front.template[0].containers[0].startup_probe, google_cloud_run_v2_service.front.template[0].containers[0].liveness_probe) :
      probe.timeout_seconds <= probe.period_seconds
      && probe.period_seconds * probe.failure_threshold <= 240
      && probe.period_seconds * probe.failure_threshold >= 20
    ])
    error_message = "Probes must be within Cloud Run's bounds, and patient: the front may take 10 s to be ready."
  }
  assert {
    condition = { for env in google_cloud_run_v2_service.front.template[0].containers[0].env : env.name => env.value } == {
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
    error_message = "Its settings are these; none is a secret."
  }
  assert {
    condition = { for volume in google_cloud_run_v2_service.front.template[0].volumes : volume.name => "${volume.secret[0].secret}/${volume.secret[0].items[0].path}/${volume.secret[0].items[0].version}" } == {
      ca       = "rl-redis-ca/ca.pem/3"
      password = "rl-redis-auth/password/4"
      policies = "rl-policies/policies.toml/7"
      scrape   = "rl-scrape/config.yaml/7"
    }
    error_message = "Its files are secrets, each at a version."
  }
  assert {
    condition = [for mount in google_cloud_run_v2_service.front.template[0].containers[0].volume_mounts : "${mount.name}:${mount.mount_path}"] == [
      "ca:/etc/rl/ca", "password:/etc/rl/password", "policies:/etc/rl/policies"
    ]
    error_message = "Its files must be where its settings say, and that of the collector is none of them."
  }
  assert {
    condition = toset([for grant in google_secret_manager_secret_iam_member.read : grant.secret_id]) == toset(["rl-redis-ca", "rl-redis-auth", "rl-policies", "rl-scrape"]) && alltrue([
      for grant in google_secret_manager_secret_iam_member.read : grant.role == "roles/secretmanager.secretAccessor"
      && grant.member == "serviceAccount:${var.account}"
    ])
    error_message = "It may read its files, and no other secret."
  }
  assert {
    condition     = google_secret_manager_secret_version.policies.secret_data == null
    error_message = "Policies name customers: they must not be in the state."
  }
  assert {
    condition = (
      google_secret_manager_secret_version.policies.secret_data_wo_version == substr(sha256(var.policies), 0, 8)
      && google_secret_manager_secret_version.policies.deletion_policy == "ABANDON"
    )
    error_message = "Another policy file must be another version, and the old one stay for revisions that are rolled back to."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].containers[1].depends_on == tolist(["front"])
      && [for mount in google_cloud_run_v2_service.front.template[0].containers[1].volume_mounts : "${mount.name}:${mount.mount_path}"] == ["scrape:/etc/rungmp"]
    )
    error_message = "The collector starts after the front, with its own file alone."
  }
  assert {
    condition = (
      can(regex(":[0-9]+\\.[0-9]+\\.[0-9]+$", google_cloud_run_v2_service.front.template[0].containers[1].image))
      && tonumber(google_cloud_run_v2_service.front.template[0].containers[1].resources[0].limits["cpu"]) >= 1
    )
    error_message = "The collector must be of one version, and have a whole processor: with less Cloud Run takes one request at a time."
  }
  assert {
    condition = (
      toset([for grant in google_project_iam_member.metrics : "${grant.role} ${grant.member}"])
      == toset([
        for role in ["monitoring.metricWriter", "logging.logWriter"] :
        "roles/${role} serviceAccount:${var.account}"
      ])
    )
    error_message = "In the project the front may write metrics and logs, and nothing else."
  }
  assert {
    condition = (
      yamldecode(google_secret_manager_secret_version.scrape[0].secret_data).spec.endpoints[0].port == 9090
      && yamldecode(google_secret_manager_secret_version.scrape[0].secret_data).metadata.name == "rl"
    )
    error_message = "It must scrape the port of operators, as the job rl."
  }
  assert {
    condition = (
      output.url == "https://rl-front-abc-ew.a.run.app"
      && output.host == "rl-front-abc-ew.a.run.app"
    )
    error_message = "It must say where it is."
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
      min_instances = 1, max_instances = 1, concurrency = 80, cpu = 1, memory = "512Mi", deadline_ms = 50, metrics = false
      tokens_secret = "my-tokens", key_secret = "my-key"
    }
  }
  assert {
    condition = alltrue([for name, value in {
      RL_REDIS_IAM       = "google"
      RL_REDIS_VERIFY    = "full"
      RL_TOKENS          = "/etc/rl/tokens/tokens.toml"
      RL_KEY_SECRET_FILE = "/etc/rl/key/secret"
    } : contains([for env in google_cloud_run_v2_service.front.template[0].containers[0].env : "${env.name}=${env.value}"], "${name}=${value}")])
    error_message = "It must be told to log in with IAM's tokens, and of its own secrets."
  }
  assert {
    condition = { for volume in google_cloud_run_v2_service.front.template[0].volumes : volume.name => "${volume.secret[0].secret}/${volume.secret[0].items[0].path}/${volume.secret[0].items[0].version}" } == {
      ca       = "rl-valkey-ca/ca.pem/3"
      policies = "rl-policies/policies.toml/7"
      tokens   = "my-tokens/tokens.toml/latest"
      key      = "my-key/secret/latest"
    }
    error_message = "Secrets of yours must be mounted as they are now."
  }
  assert {
    condition     = !contains(google_cloud_run_v2_service.front.template[0].containers[0].env[*].name, "RL_REDIS_PASSWORD_FILE")
    error_message = "There is no password."
  }
  assert {
    condition = (
      length(google_cloud_run_v2_service.front.template[0].containers) == 1
      && length(google_project_iam_member.metrics) == 0
    )
    error_message = "Without metrics there is no collector, and no right to write any."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
      && length(google_cloud_run_v2_service_iam_member.invoker) == 0
    )
    error_message = "A load balancer may reach it; nobody who is not named may call it."
  }
  assert {
    condition = (
      !google_cloud_run_v2_service.front.deletion_protection
      && !google_secret_manager_secret.policies.deletion_protection
      && !output.protected
    )
    error_message = "deletion_protection = false must reach all of it."
  }
}

run "a_policy_file_that_no_secret_holds" {
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
      invokers      = [], ingress = "all", min_instances = 1, max_instances = 1, concurrency = 80, cpu = 1, memory = "512Mi", deadline_ms = 50, metrics = false
      tokens_secret = null, key_secret = null
    }
  }
  assert {
    condition     = google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_ALL"
    error_message = "The internet may reach it when it is asked to."
  }
}
