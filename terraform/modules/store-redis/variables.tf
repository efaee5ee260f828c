variable "name" { type = string }
variable "network" { type = string }
variable "deletion_protection" { type = bool }
variable "config" {
  type = object({ tier = string, memory_gb = number, version = string })
}
