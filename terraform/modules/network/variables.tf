variable "name" {
  description = "Name of a created VPC, and prefix of other names."
  type        = string
}
variable "region" {
  description = "Region of the subnets."
  type        = string
}
variable "store" {
  description = "The root's variable store."
  type        = string
}
variable "config" {
  description = "The root's variable network, which documents and validates it."
  type        = object({ id = string, front_cidr = string, store_cidr = string, connection = bool })
}
