output "url" {
  description = "Where POST /check is answered; null until there is an image."
  value       = one(module.front[*].url)
}

output "store" {
  description = "What holds the buckets, as in --store (without a password); null until there is one."
  value       = try(local.store.url, null)
}

output "repository" {
  description = "Where images are pushed."
  value       = google_artifact_registry_repository.images.registry_uri
}

output "protected" {
  description = "Whether `terraform destroy` is refused: deletion_protection."
  value       = alltrue(concat(module.redis[*].protected, module.valkey[*].protected, module.vm[*].protected, module.front[*].protected))
}

output "next" {
  description = "What to do now."
  value = (
    length(module.front) == 0
    ? "scripts/deploy # builds the images, pushes them to the repository, applies again with them"
    : var.front.ingress == "all"
    ? "RL_SMOKE_IDENTITY=$(gcloud auth print-identity-token) scripts/smoke ${module.front[0].url}"
    : "RL_SMOKE_IDENTITY=$(gcloud auth print-identity-token) scripts/smoke ${module.front[0].url} # from a machine in the VPC"
  )
}
