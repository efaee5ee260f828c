# Redis with the module on one VM: a group of one, so that it is made anew when it fails, with its disk.
locals {
  port  = 6379
  label = "${var.name}-redis"
}

module "boot" {
  source          = "./boot"
  address         = google_compute_address.redis.address
  image           = var.image
  registry        = split("/", var.image)[0]
  port            = local.port
  password_secret = google_secret_manager_secret_version.password.name # this version, as the fronts: another one makes the VM anew
  ca_secret       = google_secret_manager_secret.ca.id
}

resource "google_compute_instance_template" "redis" {
  name_prefix  = "${local.label}-"
  region       = var.region
  machine_type = var.config.machine_type
  tags         = [local.label]

  disk {
    boot         = true
    source_image = "projects/cos-cloud/global/images/family/cos-stable"
    disk_size_gb = 20
    disk_type    = "pd-balanced"
  }
  disk {
    device_name  = "data"
    disk_size_gb = var.config.disk_gb
    disk_type    = "pd-ssd"
    auto_delete  = false
  }
  network_interface {
    subnetwork = var.subnetwork # without access_config: no address on the internet
    nic_type   = "GVNIC"
  }
  service_account {
    email  = google_service_account.vm.email
    scopes = ["cloud-platform"] # what it may do is said by its roles
  }
  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }
  scheduling {
    automatic_restart   = true
    on_host_maintenance = "MIGRATE"
  }
  metadata = {
    user-data              = module.boot.user_data
    enable-oslogin         = "TRUE"
    block-project-ssh-keys = "TRUE"
    serial-port-enable     = "FALSE"
    # Logs, and the use of memory and disk.
    google-logging-enabled    = "true"
    google-monitoring-enabled = "true"
  }
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [disk[0].source_image] # a new release of the system waits until this is replaced (docs/deploy.md)
  }
  # Its first boot reads one secret and adds to another.
  depends_on = [
    google_secret_manager_secret_version.password, google_secret_manager_secret_iam_member.vm,
    google_artifact_registry_repository_iam_member.vm,
  ]
}

resource "google_compute_instance_group_manager" "redis" {
  name               = local.label
  zone               = "${var.region}-${var.config.zone}"
  base_instance_name = local.label
  target_size        = 1
  deletion_policy    = var.deletion_protection ? "PREVENT" : "DELETE"
  # Until it has passed its health check once: its certificate is published then.
  wait_for_instances        = true
  wait_for_instances_status = "UPDATED"

  version {
    instance_template = google_compute_instance_template.redis.self_link_unique
  }
  stateful_disk {
    device_name = "data"
    delete_rule = var.deletion_protection ? "NEVER" : "ON_PERMANENT_INSTANCE_DELETION"
  }
  auto_healing_policies {
    health_check      = google_compute_health_check.redis["heal"].id
    initial_delay_sec = 300
  }
  update_policy {
    type                  = "PROACTIVE"
    minimal_action        = "REPLACE"
    replacement_method    = "RECREATE" # one VM at a time can have the disk
    max_surge_fixed       = 0
    max_unavailable_fixed = 1
  }
}
