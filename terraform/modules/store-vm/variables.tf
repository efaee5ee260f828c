variable "name" {
  description = "Prefix of resource names."
  type        = string
}
variable "project_id" {
  description = "Project of the VM."
  type        = string
}
variable "region" {
  description = "Region of the VM; config has the zone."
  type        = string
}
variable "network" {
  description = "VPC of the VM."
  type        = string
}
variable "subnetwork" {
  description = "Subnet of the VM and of the load balancer's address."
  type        = string
}
variable "client_cidr" {
  description = "Range that may reach Redis: the front's subnet."
  type        = string
}
variable "repository" {
  description = "Image repository that the VM may pull from."
  type        = string
}
variable "image" {
  description = "Image of Redis with the module, by digest."
  type        = string
}
variable "deletion_protection" {
  description = "Whether to refuse to destroy the VM, its disk and its secrets."
  type        = bool
}
variable "config" {
  description = "The root's variable vm, which documents and validates it."
  type        = object({ machine_type = string, zone = string, disk_gb = number })
}
