variable "name" {
  description = "Name of the instance, and prefix of other names."
  type        = string
}
variable "network" {
  description = "VPC that may reach the instance."
  type        = string
}
variable "deletion_protection" {
  description = "Whether to refuse to destroy the instance and its secrets."
  type        = bool
}
variable "config" {
  description = "The root's variable redis, which documents and validates it."
  type        = object({ tier = string, memory_gb = number, version = string })
}
