locals {
  apis = setunion(
    [
      "artifactregistry", "cloudresourcemanager", "compute", "iam", "logging", "monitoring", "run",
      "secretmanager",
    ],
    {
      redis  = ["redis", "servicenetworking"]
      valkey = ["memorystore", "networkconnectivity"]
      vm     = ["iap"]
    }[var.store],
  )
  # The endpoint of the selected store; null while the VM has no image.
  store = one(concat(module.redis[*].endpoint, module.valkey[*].endpoint, module.vm[*].endpoint))
}

resource "google_project_service" "api" {
  for_each           = local.apis
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false # the project may use it otherwise
}

resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  format        = "DOCKER"
  description   = "Images of the rate limiter."
  docker_config {
    immutable_tags = true
  }
  depends_on = [google_project_service.api]
}

module "network" {
  source     = "./modules/network"
  name       = var.name
  region     = var.region
  config     = var.network
  store      = var.store
  depends_on = [google_project_service.api]
}

module "redis" {
  source              = "./modules/store-redis"
  count               = var.store == "redis" ? 1 : 0
  name                = var.name
  network             = module.network.peered
  config              = var.redis
  deletion_protection = var.deletion_protection
  depends_on          = [google_project_service.api]
}

module "valkey" {
  source              = "./modules/store-valkey"
  count               = var.store == "valkey" ? 1 : 0
  name                = var.name
  project_id          = var.project_id
  region              = var.region
  network             = module.network.connected
  config              = var.valkey
  client              = google_service_account.front.member
  deletion_protection = var.deletion_protection
  depends_on          = [google_project_service.api]
}

module "vm" {
  source              = "./modules/store-vm"
  count               = var.store == "vm" && var.images.redis != null ? 1 : 0
  name                = var.name
  project_id          = var.project_id
  region              = var.region
  network             = module.network.id
  subnetwork          = module.network.store_subnetwork
  client_cidr         = var.network.front_cidr
  repository          = google_artifact_registry_repository.images.name
  image               = var.images.redis
  config              = var.vm
  deletion_protection = var.deletion_protection
  depends_on          = [google_project_service.api]
}

resource "google_service_account" "front" {
  account_id   = "${var.name}-front"
  display_name = "The front of the rate limiter"
  depends_on   = [google_project_service.api]
}

module "front" {
  source              = "./modules/front"
  count               = var.images.front != null && local.store != null ? 1 : 0
  name                = var.name
  project_id          = var.project_id
  region              = var.region
  network             = module.network.id
  subnetwork          = module.network.front_subnetwork
  account             = google_service_account.front.email
  policies            = file(coalesce(var.policies_file, "${path.module}/policies.toml"))
  store               = local.store
  image               = var.images.front
  config              = var.front
  deletion_protection = var.deletion_protection
  depends_on          = [google_project_service.api]
}

module "monitoring" {
  source     = "./modules/monitoring"
  count      = length(module.front)
  name       = var.name
  project_id = var.project_id
  store      = var.store
  service    = module.front[0].service
  # Only a front that the internet can reach can be probed from outside.
  public_host = var.front.ingress == "all" ? module.front[0].host : null
  region      = var.region
  alerts      = var.alerts
  metrics     = var.front.metrics
  depends_on  = [google_project_service.api]
}
