variable "name" { type = string }
variable "project_id" { type = string }
variable "region" { type = string }
variable "network" { type = string }
variable "subnetwork" { type = string }
variable "account" { type = string }
variable "policies" {
  type = string
  validation {
    condition     = length(base64encode(var.policies)) <= 64 * 1024 / 3 * 4
    error_message = "Shorten the policy file to less than 64 KiB, the most that Secret Manager keeps: by fewer overrides, for instance."
  }
}
variable "image" { type = string }
variable "deletion_protection" { type = bool }
variable "store" {
  type = object({
    url      = string
    verify   = string
    iam      = bool
    ca       = object({ secret = string, version = string })
    password = object({ secret = string, version = string })
  })
}
variable "config" {
  type = object({
    invokers      = list(string)
    ingress       = string
    min_instances = number
    max_instances = number
    concurrency   = number
    cpu           = number
    memory        = string
    deadline_ms   = number
    metrics       = bool
    tokens_secret = string
    key_secret    = string
  })
}
