# Redis with the module on a VM, in a group of one, which recreates a failed VM with its disk.
locals {
  port  = 6379
  label = "${var.name}-redis"
}

module "boot" {
  source    = "./boot"
  address   = google_compute_address.redis.address
  image     = var.image
  registry  = split("/", var.image)[0]
  port      = local.port
  ca_secret = google_secret_manager_secret.ca.id
  # The same version as the fronts: a new version recreates the VM.
  password_secret = google_secret_manager_secret_version.password.name
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
    subnetwork = var.subnetwork # no access_config: no external address
    nic_type   = "GVNIC"
  }
  service_account {
    email  = google_service_account.vm.email
    scopes = ["cloud-platform"] # its roles limit it
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
    # For logs, and metrics of memory and disk.
    google-logging-enabled    = "true"
    google-monitoring-enabled = "true"
  }
  lifecycle {
    create_before_destroy = true
    # A new release of the system is used when this is replaced (docs/deploy.md).
    ignore_changes = [disk[0].source_image]
  }
  # The first boot reads one secret and adds a version to the other.
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
  # Waits for the first passed health check, by when the VM has published its certificate.
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
    replacement_method    = "RECREATE" # only one VM at a time can attach the disk
    max_surge_fixed       = 0
    max_unavailable_fixed = 1
  }
}
