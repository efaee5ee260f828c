variable "name" { type = string }
variable "project_id" { type = string }
variable "region" { type = string }
variable "network" { type = string }
variable "subnetwork" { type = string }
variable "client_cidr" { type = string }
variable "repository" { type = string }
variable "image" { type = string }
variable "deletion_protection" { type = bool }
variable "config" {
  type = object({ machine_type = string, zone = string, disk_gb = number })
}
