# What the VM is told at its first boot, as cloud-init reads it. No provider is needed: tests render this module, and run
# what comes out (tests/e2e/vm.rs).
variable "address" {
  description = "Where clients reach it; the certificate names it."
  type        = string
}
variable "image" {
  description = "The image with Redis, the module and what boot/files/start calls."
  type        = string
}
variable "password_secret" {
  description = "projects/PROJECT/secrets/ID/versions/VERSION, read by the VM."
  type        = string
}
variable "ca_secret" {
  description = "projects/PROJECT/secrets/ID, to which the VM adds its authority's certificate."
  type        = string
}
variable "port" {
  type    = number
  default = 6379
}
variable "registry" {
  description = "Host that the image is pulled from."
  type        = string
}
variable "secret_manager" {
  type    = string
  default = "https://secretmanager.googleapis.com"
}
variable "paths" {
  description = "Folders, as the container sees them."
  type        = object({ etc = string, data = string, run = string, module = string })
  default = {
    etc    = "/etc/rl"
    data   = "/data"
    run    = "/run/rl"
    module = "/usr/lib/redis/modules/librl.so"
  }
}

locals {
  values = merge(var.paths, {
    address         = var.address
    ca_secret       = var.ca_secret
    image           = var.image
    password_secret = var.password_secret
    port            = var.port
    registry        = var.registry
    secret_manager  = var.secret_manager
  })
  files = {
    "/etc/rl/redis.conf"                   = "redis.conf"
    "/etc/rl/start"                        = "start"
    "/etc/rl/host"                         = "host"
    "/etc/systemd/system/rl-redis.service" = "rl-redis.service"
  }
}

output "user_data" {
  description = "The metadata value user-data."
  # JSON is YAML, and quotes whatever a file holds.
  value = "#cloud-config\n${jsonencode({
    write_files = [for target, file in local.files : {
      path        = target
      permissions = "0644"
      content     = templatefile("${path.module}/files/${file}", local.values)
    }]
    runcmd = [["systemctl", "daemon-reload"], ["systemctl", "start", "--no-block", "rl-redis.service"]]
  })}\n"
}
