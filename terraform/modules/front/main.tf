# The front: stateless, in the VPC by direct egress, with as many instances as the load needs.
locals {
  # The secrets that are mounted as files.
  files = merge(
    {
      policies = {
        path    = "policies.toml"
        secret  = google_secret_manager_secret.policies.secret_id
        version = google_secret_manager_secret_version.policies.version
      }
      ca = { path = "ca.pem", secret = var.store.ca.secret, version = var.store.ca.version }
    },
    var.store.password == null ? {} : {
      password = {
        path    = "password"
        secret  = var.store.password.secret
        version = var.store.password.version
      }
    },
    var.config.tokens_secret == null ? {} : {
      tokens = {
        path    = "tokens.toml"
        secret  = var.config.tokens_secret.secret
        version = var.config.tokens_secret.version
      }
    },
    var.config.key_secret == null ? {} : {
      key = {
        path    = "secret"
        secret  = var.config.key_secret.secret
        version = var.config.key_secret.version
      }
    },
  )
  mounted = { for name, file in local.files : name => "/etc/rl/${name}/${file.path}" }
  env = { for name, value in {
    RL_STORE               = var.store.url
    RL_REDIS_VERIFY        = var.store.verify
    RL_REDIS_CA            = local.mounted.ca
    RL_REDIS_IAM           = var.store.iam ? "google" : null
    RL_REDIS_PASSWORD_FILE = lookup(local.mounted, "password", null)
    RL_CONFIG              = local.mounted.policies
    RL_TOKENS              = lookup(local.mounted, "tokens", null)
    RL_KEY_SECRET_FILE     = lookup(local.mounted, "key", null)
    RL_RELOAD              = "signal" # a read of a mounted secret is a paid call
    RL_ADMIN_LISTEN        = "127.0.0.1:${local.admin_port}"
    RL_DEADLINE_MS         = tostring(var.config.deadline_ms)
    RL_WORKERS             = tostring(var.config.cpu)
    RL_LOG_FORMAT          = "json"
  } : name => value if value != null }
  # Metrics and the most denied keys: for the collector beside the front, not for callers.
  admin_port = 9090
  ingress = {
    internal      = "INGRESS_TRAFFIC_INTERNAL_ONLY"
    load-balancer = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    all           = "INGRESS_TRAFFIC_ALL"
  }
}

resource "google_cloud_run_v2_service" "front" {
  name                = "${var.name}-front"
  location            = var.region
  ingress             = local.ingress[var.config.ingress]
  deletion_protection = var.deletion_protection

  template {
    service_account                  = var.account
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    timeout                          = "5s"
    max_instance_request_concurrency = var.config.concurrency

    scaling {
      min_instance_count = var.config.min_instances
      max_instance_count = var.config.max_instances
    }
    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        network    = var.network
        subnetwork = var.subnetwork
      }
    }

    containers {
      name  = "front"
      image = var.image
      ports {
        container_port = 8080
      }
      resources {
        limits            = { cpu = tostring(var.config.cpu), memory = var.config.memory }
        cpu_idle          = false # connections to the store stay open between requests
        startup_cpu_boost = true
      }
      dynamic "env" {
        for_each = local.env
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "volume_mounts" {
        for_each = local.mounted
        content {
          name       = volume_mounts.key
          mount_path = dirname(volume_mounts.value)
        }
      }
      # Ready once the store has answered, or after 10 s without it: direct egress can take a minute
      # to come up, and until then each policy's on_error applies.
      startup_probe {
        http_get {
          path = "/health/ready"
        }
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30
      }
      liveness_probe {
        http_get {
          path = "/health/live"
        }
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 3
      }
    }

    dynamic "containers" {
      for_each = var.config.metrics ? [local.mounted_scrape] : []
      content {
        name       = "metrics"
        image      = "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.2.0"
        depends_on = ["front"]
        resources {
          # With less CPU, Cloud Run allows only one request at a time.
          limits   = { cpu = "1", memory = "512Mi" }
          cpu_idle = false
        }
        volume_mounts {
          name       = "scrape"
          mount_path = dirname(containers.value)
        }
      }
    }

    dynamic "volumes" {
      for_each = merge(local.files, local.scrape)
      content {
        name = volumes.key
        secret {
          secret = volumes.value.secret
          items {
            path    = volumes.value.path
            version = volumes.value.version
          }
        }
      }
    }
  }

  # A revision that may not read its files does not start.
  depends_on = [google_secret_manager_secret_iam_member.read]
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = toset(var.config.invokers)
  name     = google_cloud_run_v2_service.front.name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}
