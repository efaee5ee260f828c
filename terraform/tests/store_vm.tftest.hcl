mock_provider "google" {
  mock_resource "google_compute_address" {
    override_during = plan
    defaults        = { id = "an-address", address = "10.64.1.5" }
  }
  mock_resource "google_secret_manager_secret" {
    override_during = plan
  }
  mock_resource "google_secret_manager_secret_version" {
    override_during = plan
    defaults        = { version = "7", name = "projects/1/secrets/rl-vm-auth/versions/7" }
  }
  mock_resource "google_compute_health_check" {
    override_during = plan
  }
  mock_resource "google_compute_instance_template" {
    override_during = plan
  }
  mock_resource "google_compute_instance_group_manager" {
    override_during = plan
    defaults        = { instance_group = "a-group" }
  }
  mock_resource "google_compute_region_backend_service" {
    override_during = plan
    defaults        = { id = "a-backend" }
  }
  mock_resource "google_service_account" {
    override_during = plan
    defaults = {
      email  = "rl-redis@demo-project.iam.gserviceaccount.com"
      member = "serviceAccount:rl-redis@demo-project.iam.gserviceaccount.com"
    }
  }
}

variables {
  name                = "rl"
  project_id          = "demo-project"
  region              = "europe-west1"
  network             = "projects/demo-project/global/networks/rl"
  subnetwork          = "projects/demo-project/regions/europe-west1/subnetworks/rl-store"
  client_cidr         = "10.64.0.0/24"
  repository          = "rl"
  deletion_protection = true
  image               = "europe-west1-docker.pkg.dev/demo-project/rl/redis@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  config = {
    machine_type = "n2-standard-2"
    zone         = "c"
    disk_gb      = 20
  }
}

run "vm" {
  command = plan
  module { source = "./modules/store-vm" }
  assert {
    condition = alltrue([
      for nic in google_compute_instance_template.redis.network_interface :
      length(nic.access_config) == 0 && length(nic.ipv6_access_config) == 0
    ])
    error_message = "The VM must have no external address."
  }
  assert {
    condition     = alltrue(values(google_compute_instance_template.redis.shielded_instance_config[0]))
    error_message = "The VM must be a Shielded VM: secure boot, vTPM and integrity monitoring."
  }
  assert {
    condition = (
      google_compute_instance_template.redis.metadata["block-project-ssh-keys"] == "TRUE"
      && google_compute_instance_template.redis.metadata["enable-oslogin"] == "TRUE"
      && google_compute_instance_template.redis.metadata["serial-port-enable"] == "FALSE"
    )
    error_message = "The project's SSH keys and the serial port must not give access to the VM."
  }
  assert {
    condition = (
      google_compute_instance_template.redis.machine_type == "n2-standard-2"
      && google_compute_instance_group_manager.redis.zone == "europe-west1-c"
    )
    error_message = "The VM must have the configured type and zone."
  }
  assert {
    condition = (
      google_compute_instance_template.redis.service_account[0].email
      == google_service_account.vm.email
      && google_compute_instance_template.redis.network_interface[0].subnetwork == var.subnetwork
    )
    error_message = "The VM must run as its own service account, in the store's subnet."
  }
  assert {
    condition = (
      alltrue([
        for disk in google_compute_instance_template.redis.disk :
        disk.auto_delete == false if disk.device_name == "data"
      ])
      && [
        for disk in google_compute_instance_group_manager.redis.stateful_disk :
        disk.delete_rule if disk.device_name == "data"
      ] == ["NEVER"]
    )
    error_message = "The data disk must outlive the VM."
  }
  assert {
    condition = (
      [
        for disk in google_compute_instance_template.redis.disk :
        disk.disk_size_gb if disk.device_name == "data"
      ]
      == [20]
    )
    error_message = "The data disk must have the configured size."
  }
  assert {
    condition = (
      google_compute_instance_group_manager.redis.target_size == 1
      && google_compute_instance_group_manager.redis.update_policy[0].max_surge_fixed == 0
    )
    error_message = "There must never be two instances of Redis, each with its own buckets."
  }
  assert {
    condition = (
      google_compute_instance_group_manager.redis.update_policy[0].replacement_method == "RECREATE"
      && google_compute_instance_group_manager.redis.update_policy[0].type == "PROACTIVE"
      && google_compute_instance_group_manager.redis.update_policy[0].minimal_action == "REPLACE"
      && google_compute_instance_group_manager.redis.update_policy[0].max_unavailable_fixed == 1
    )
    error_message = "A new image or password must replace the VM at once, and keep the disk."
  }
  assert {
    condition = (
      google_compute_instance_group_manager.redis.deletion_policy == "PREVENT"
      && google_secret_manager_secret.password.deletion_protection
      && google_secret_manager_secret.ca.deletion_protection
      && output.protected
    )
    error_message = "Deletion protection must be on."
  }
  assert {
    condition = (
      google_compute_instance_group_manager.redis.wait_for_instances
      && google_compute_instance_group_manager.redis.wait_for_instances_status == "UPDATED"
    )
    error_message = "The front must wait for the VM to publish its certificate and to read the password."
  }
  assert {
    condition = alltrue([
      for check in google_compute_health_check.redis :
      check.ssl_health_check[0].response == "-NOAUTH"
      && check.ssl_health_check[0].request == "PING\r\n"
      && check.ssl_health_check[0].port == 6379
    ])
    error_message = "The health check must require TLS and a password prompt."
  }
  assert {
    condition = (
      google_compute_instance_group_manager.redis.auto_healing_policies[0].health_check
      == google_compute_health_check.redis["heal"].id
      && google_compute_instance_group_manager.redis.auto_healing_policies[0].initial_delay_sec >= 300
      && google_compute_health_check.redis["heal"].unhealthy_threshold
      > google_compute_health_check.redis["balance"].unhealthy_threshold
    )
    error_message = "A dead VM must be recreated, but not over a hiccup and not while it starts."
  }
  assert {
    condition = (
      google_compute_forwarding_rule.redis.load_balancing_scheme == "INTERNAL"
      && google_compute_region_backend_service.redis.load_balancing_scheme == "INTERNAL"
      && google_compute_address.redis.address_type == "INTERNAL"
    )
    error_message = "The load balancer must be internal."
  }
  assert {
    condition = (
      google_compute_forwarding_rule.redis.ip_address == "an-address"
      && google_compute_forwarding_rule.redis.ports == toset(["6379"])
      && google_compute_forwarding_rule.redis.backend_service == "a-backend"
      && one(google_compute_region_backend_service.redis.backend).group == "a-group"
      && google_compute_region_backend_service.redis.health_checks
      == toset([google_compute_health_check.redis["balance"].id])
    )
    error_message = "The load balancer must forward its fixed address to the healthy VM."
  }
  assert {
    condition = (
      one(google_compute_firewall.deny.deny).protocol == "all"
      && google_compute_firewall.deny.source_ranges == toset(["0.0.0.0/0"])
      && google_compute_firewall.deny.direction == "INGRESS"
      && google_compute_firewall.deny.target_tags == google_compute_instance_template.redis.tags
      && length(google_compute_firewall.deny.log_config) == 1
    )
    error_message = "All other traffic must be denied and logged."
  }
  assert {
    condition = alltrue([
      for rule in google_compute_firewall.allow :
      rule.priority < google_compute_firewall.deny.priority
      && rule.target_tags == google_compute_instance_template.redis.tags
      && rule.direction == "INGRESS"
    ])
    error_message = "Allow rules must take precedence over the denial, and apply to the VM only."
  }
  assert {
    condition     = google_compute_firewall.deny.priority < 65534
    error_message = "The denial must take precedence over the default rules of networks, such as default-allow-internal."
  }
  assert {
    condition = {
      for rule in google_compute_firewall.allow : rule.name => join(" ", concat(
        sort(rule.source_ranges),
        flatten([for to in rule.allow : [to.protocol, to.ports]])
      ))
      } == {
      rl-redis-front  = "10.64.0.0/24 tcp 6379"
      rl-redis-health = "130.211.0.0/22 35.191.0.0/16 tcp 6379"
      rl-redis-ssh    = "35.235.240.0/20 tcp 22"
    }
    error_message = "Only fronts, Google's health checks and operators through Identity-Aware Proxy may reach the VM."
  }
  assert {
    condition = (
      google_secret_manager_secret_version.password.secret_data == null
      && google_secret_manager_secret_version.password.secret_data_wo == null
    )
    error_message = "The password must not be in the state."
  }
  assert {
    condition = {
      for grant in google_secret_manager_secret_iam_member.vm : grant.secret_id => grant.role
      } == {
      (google_secret_manager_secret.password.id) = "roles/secretmanager.secretAccessor"
      (google_secret_manager_secret.ca.id)       = "roles/secretmanager.secretVersionAdder"
    }
    error_message = "In Secret Manager, the VM may only read its password and publish its certificate."
  }
  assert {
    condition = (
      toset([for grant in google_project_iam_member.vm : grant.role])
      == toset(["roles/logging.logWriter", "roles/monitoring.metricWriter"])
    )
    error_message = "In the project, the VM may only write logs and metrics."
  }
  assert {
    condition = (
      google_artifact_registry_repository_iam_member.vm.role == "roles/artifactregistry.reader"
      && google_artifact_registry_repository_iam_member.vm.repository == "rl"
    )
    error_message = "The VM may pull images, and not push any."
  }
  assert {
    condition = (
      startswith(google_compute_instance_template.redis.metadata["user-data"], "#cloud-config\n")
      && strcontains(
        google_compute_instance_template.redis.metadata["user-data"],
        "rl-redis.service\"]]"
      )
    )
    error_message = "The user-data must be a cloud-init configuration that starts the service."
  }
  assert {
    condition = (
      strcontains(google_compute_instance_template.redis.metadata["user-data"], var.image)
      && strcontains(google_compute_instance_template.redis.metadata["user-data"], "IP:10.64.1.5")
    )
    error_message = "The VM must run the image by digest, and its certificate must name the load balancer's address."
  }
  assert {
    condition = (
      strcontains(
        google_compute_instance_template.redis.metadata["user-data"],
        "/v1/projects/1/secrets/rl-vm-auth/versions/7:access"
      )
      && output.endpoint.password == { secret = "rl-vm-auth", version = "7" }
    )
    error_message = "The VM and the fronts must read the same version of the password."
  }
  assert {
    condition = (
      output.endpoint.url == "rediss://rl-module@10.64.1.5:6379"
      && output.endpoint.verify == "full"
      && !output.endpoint.iam
      && output.endpoint.ca == { secret = "rl-vm-ca", version = "latest" }
    )
    error_message = "The endpoint must have TLS, the user rl-module and the certificate that the VM published last."
  }
  assert {
    condition     = output.reachable_from["front"] == toset(["10.64.0.0/24"])
    error_message = "The output must list who can reach Redis."
  }
}

run "without_deletion_protection" {
  command = plan
  module { source = "./modules/store-vm" }
  variables { deletion_protection = false }
  assert {
    condition = (
      google_compute_instance_group_manager.redis.deletion_policy == "DELETE"
      && !google_secret_manager_secret.password.deletion_protection
      && !google_secret_manager_secret.ca.deletion_protection && !output.protected
      && [for disk in google_compute_instance_group_manager.redis.stateful_disk : disk.delete_rule]
      == ["ON_PERMANENT_INSTANCE_DELETION"]
    )
    error_message = "deletion_protection = false must apply to all resources."
  }
}
