# A load balancer with one address for whichever VM runs, and firewall rules.
resource "google_compute_address" "redis" {
  name         = local.label
  region       = var.region
  subnetwork   = var.subnetwork
  address_type = "INTERNAL"
}

# Healthy if Redis speaks TLS and answers that the prober is not logged in, which it does even while
# it loads its file.
resource "google_compute_health_check" "redis" {
  for_each = {
    balance = 2
    heal    = 6 # do not recreate a VM over a hiccup
  }
  name                = "${local.label}-${each.key}"
  check_interval_sec  = 5
  timeout_sec         = 3
  unhealthy_threshold = each.value
  ssl_health_check {
    port     = local.port
    request  = "PING\r\n"
    response = "-NOAUTH"
  }
}

resource "google_compute_region_backend_service" "redis" {
  name                  = local.label
  region                = var.region
  load_balancing_scheme = "INTERNAL"
  protocol              = "TCP"
  health_checks         = [google_compute_health_check.redis["balance"].id]
  backend {
    group          = google_compute_instance_group_manager.redis.instance_group
    balancing_mode = "CONNECTION"
  }
}

resource "google_compute_forwarding_rule" "redis" {
  name                  = local.label
  region                = var.region
  load_balancing_scheme = "INTERNAL"
  backend_service       = google_compute_region_backend_service.redis.id
  network               = var.network
  subnetwork            = var.subnetwork
  ip_address            = google_compute_address.redis.id
  ports                 = [local.port]
}

# Only the sources allowed below reach the VM. This denial takes precedence over allow rules of an
# existing VPC, which have the usual priorities of 1000 and up.
resource "google_compute_firewall" "deny" {
  name          = "${local.label}-deny"
  network       = var.network
  direction     = "INGRESS"
  priority      = 1000
  target_tags   = [local.label]
  source_ranges = ["0.0.0.0/0"]
  deny {
    protocol = "all"
  }
  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "allow" {
  for_each = {
    front = { ranges = [var.client_cidr], port = local.port }
    # Google's health checks.
    health = { ranges = ["35.191.0.0/16", "130.211.0.0/22"], port = local.port }
    # Identity-Aware Proxy.
    ssh = { ranges = ["35.235.240.0/20"], port = 22 }
  }
  name          = "${local.label}-${each.key}"
  network       = var.network
  direction     = "INGRESS"
  priority      = 900
  target_tags   = [local.label]
  source_ranges = each.value.ranges
  allow {
    protocol = "tcp"
    ports    = [each.value.port]
  }
}
