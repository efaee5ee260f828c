# The VM's cloud-init configuration. The module needs no provider, so that tests/e2e/vm.rs can
# render it and run the result.
variable "address" {
  description = "Address that clients connect to, and that the certificate names."
  type        = string
}
variable "image" {
  description = "Image with Redis, the module and the programs that boot/files/start needs."
  type        = string
}
variable "password_secret" {
  description = "Version of the password's secret: projects/PROJECT/secrets/ID/versions/VERSION."
  type        = string
}
variable "ca_secret" {
  description = "Secret to which the VM adds the certificate of its authority: projects/PROJECT/secrets/ID."
  type        = string
}
variable "port" {
  description = "Port of Redis."
  type        = number
  default     = 6379
}
variable "registry" {
  description = "Registry host of the image."
  type        = string
}
variable "secret_manager" {
  description = "URL of Secret Manager. Tests replace it."
  type        = string
  default     = "https://secretmanager.googleapis.com"
}
variable "paths" {
  description = "Paths in the container: folders, and the module. Tests replace them."
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
  description = "Value of the VM's metadata key user-data."
  # JSON is YAML, and quotes any file content.
  value = "#cloud-config\n${jsonencode({
    write_files = [for target, file in local.files : {
      path        = target
      permissions = "0644"
      content     = templatefile("${path.module}/files/${file}", local.values)
    }]
    runcmd = [
      ["systemctl", "daemon-reload"],
      ["systemctl", "start", "--no-block", "rl-redis.service"],
    ]
  })}\n"
}
