variable "name" { type = string }
variable "project_id" { type = string }
variable "region" { type = string }
variable "network" { type = string }
variable "client" { type = string }
variable "deletion_protection" { type = bool }
variable "config" {
  type = object({ node_type = string, shards = number, replicas = number, version = string })
}
