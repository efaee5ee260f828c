# One address, whichever VM there is; and who may reach it.
resource "google_compute_address" "redis" {
  name         = local.label
  region       = var.region
  subnetwork   = var.subnetwork
  address_type = "INTERNAL"
}

# It speaks TLS and answers: to a caller who has not logged in, that he has not. Also while it loads its file.
resource "google_compute_health_check" "redis" {
  for_each = {
    balance = 2
    heal    = 6 # a VM is not made anew over a hiccup
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

# Nobody reaches the VM but these: the denial overrules what rules of the usual priorities, 1000 and up, allow in a VPC that
# exists.
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
    front  = { ranges = [var.client_cidr], port = local.port }
    health = { ranges = ["35.191.0.0/16", "130.211.0.0/22"], port = local.port } # where Google's health checks come from
    ssh    = { ranges = ["35.235.240.0/20"], port = 22 }                         # Identity-Aware Proxy
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
