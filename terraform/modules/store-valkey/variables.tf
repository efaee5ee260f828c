variable "name" {
  description = "Prefix of resource names."
  type        = string
}
variable "project_id" {
  description = "Project of the instance."
  type        = string
}
variable "region" {
  description = "Region of the instance."
  type        = string
}
variable "network" {
  description = "VPC that has the endpoints."
  type        = string
}
variable "client" {
  description = "IAM member that may log in: the front's service account."
  type        = string
}
variable "deletion_protection" {
  description = "Whether to refuse to destroy the instance and its secrets."
  type        = bool
}
variable "config" {
  description = "The root's variable valkey, which documents and validates it."
  type        = object({ node_type = string, shards = number, replicas = number, version = string })
}
