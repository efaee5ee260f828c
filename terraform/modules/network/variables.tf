variable "name" { type = string }
variable "region" { type = string }
variable "store" { type = string }
variable "config" {
  type = object({ id = string, front_cidr = string, store_cidr = string, connection = bool })
}
