output "url" {
  description = "URL of the front, which serves POST /check. Null until there is an image."
  value       = one(module.front[*].url)
}

output "store" {
  description = "URL of the store, as for --store, without a password. Null until there is a store."
  value       = try(local.store.url, null)
}

output "repository" {
  description = "Image repository that scripts/deploy pushes to."
  value       = google_artifact_registry_repository.images.registry_uri
}

output "protected" {
  description = "Whether `terraform destroy` is refused (deletion_protection)."
  value = alltrue(concat(
    module.redis[*].protected, module.valkey[*].protected, module.vm[*].protected,
    module.front[*].protected,
  ))
}

output "next" {
  description = "Next command to run."
  value = (
    length(module.front) == 0
    ? "scripts/deploy # builds and pushes the images, and applies again with them"
    : var.front.ingress == "all"
    ? "RL_SMOKE_IDENTITY=$(gcloud auth print-identity-token) scripts/smoke ${module.front[0].url}"
    : "RL_SMOKE_IDENTITY=$(gcloud auth print-identity-token) scripts/smoke ${module.front[0].url} # from a machine in the VPC"
  )
}
