variable "name" {
  description = "Prefix of resource names."
  type        = string
}
variable "project_id" {
  description = "Project of the resources."
  type        = string
}
variable "region" {
  description = "Region of the service."
  type        = string
}
variable "network" {
  description = "VPC of the store."
  type        = string
}
variable "subnetwork" {
  description = "Subnet that the instances have their addresses in."
  type        = string
}
variable "account" {
  description = "Email of the service account that the front runs as."
  type        = string
}
variable "policies" {
  description = "Content of the policy file."
  type        = string
  validation {
    condition     = length(base64encode(var.policies)) <= 64 * 1024 / 3 * 4
    error_message = "The policy file must be shorter than 64 KiB, the maximum of Secret Manager: for example, remove overrides."
  }
}
variable "image" {
  description = "Image of the front, by digest."
  type        = string
}
variable "deletion_protection" {
  description = "Whether to refuse to destroy the service and its secrets."
  type        = bool
}
variable "store" {
  description = "Endpoint of the store: its URL, and how to verify its certificate and log in."
  type = object({
    url      = string
    verify   = string
    iam      = bool
    ca       = object({ secret = string, version = string })
    password = object({ secret = string, version = string })
  })
}
variable "config" {
  description = "The root's variable front, which documents and validates it."
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
    tokens_secret = object({ secret = string, version = string })
    key_secret    = object({ secret = string, version = string })
  })
}
