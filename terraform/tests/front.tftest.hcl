mock_provider "google" {
  mock_resource "google_secret_manager_secret_version" {
    defaults = { version = "7" }
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
  module { source = "./modules/front" }
  assert {
    condition     = google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "The internet must not reach it unless it is asked to."
  }
  assert {
    condition     = { for grant in google_cloud_run_v2_service_iam_member.invoker : grant.member => grant.role } == { "serviceAccount:api@demo-project.iam.gserviceaccount.com" = "roles/run.invoker" }
    error_message = "Those who are named may call it, and nobody else."
  }
  assert {
    condition     = google_cloud_run_v2_service.front.invoker_iam_disabled != true && google_cloud_run_v2_service.front.deletion_protection
    error_message = "IAM must be asked about callers, and the service protected."
  }
  assert {
    condition     = length(google_cloud_run_v2_service.front.template[0].vpc_access[0].network_interfaces) == 1 && google_cloud_run_v2_service.front.template[0].vpc_access[0].egress == "PRIVATE_RANGES_ONLY"
    error_message = "It must reach the store by direct egress."
  }
  assert {
    condition     = google_cloud_run_v2_service.front.template[0].service_account == var.account && google_cloud_run_v2_service.front.template[0].scaling[0].min_instance_count == 2
    error_message = "It runs under its own account, and an instance is always there."
  }
  assert {
    condition = (
      google_cloud_run_v2_service.front.template[0].containers[0].startup_probe[0].http_get[0].path == "/health/ready"
      && google_cloud_run_v2_service.front.template[0].containers[0].liveness_probe[0].http_get[0].path == "/health/live"
    )
    error_message = "An instance gets traffic when it is ready, and is replaced when it is dead. Readiness must not kill it: it speaks of the store."
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
    condition     = toset([for grant in google_secret_manager_secret_iam_member.read : grant.secret_id]) == toset(["rl-redis-ca", "rl-redis-auth", "rl-policies", "rl-scrape"])
    error_message = "It may read its files, and no other secret."
  }
  assert {
    condition     = google_secret_manager_secret_version.policies.secret_data == null
    error_message = "Policies name customers: they must not be in the state."
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
      yamldecode(google_secret_manager_secret_version.scrape[0].secret_data).spec.endpoints[0].port == 9090
      && yamldecode(google_secret_manager_secret_version.scrape[0].secret_data).metadata.name == "rl"
    )
    error_message = "It must scrape the port of operators, as the job rl."
  }
}

run "with_a_login_by_iam_tokens_and_a_key_secret" {
  module { source = "./modules/front" }
  variables {
    store = {
      url = "rediss+cluster://10.64.1.8:6379", verify = "ca", iam = true
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
      RL_TOKENS          = "/etc/rl/tokens/tokens.toml"
      RL_KEY_SECRET_FILE = "/etc/rl/key/secret"
    } : contains([for env in google_cloud_run_v2_service.front.template[0].containers[0].env : "${env.name}=${env.value}"], "${name}=${value}")])
    error_message = "It must be told to log in with IAM's tokens, and of its own secrets."
  }
  assert {
    condition     = !contains(google_cloud_run_v2_service.front.template[0].containers[0].env[*].name, "RL_REDIS_PASSWORD_FILE")
    error_message = "There is no password."
  }
  assert {
    condition     = length(google_cloud_run_v2_service.front.template[0].containers) == 1 && length(google_project_iam_member.metrics) == 0
    error_message = "Without metrics there is no collector, and no right to write any."
  }
  assert {
    condition     = google_cloud_run_v2_service.front.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    error_message = "A load balancer may reach it."
  }
}
