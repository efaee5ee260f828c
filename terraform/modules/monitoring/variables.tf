variable "name" { type = string }
variable "project_id" { type = string }
variable "region" { type = string }
variable "store" { type = string }
variable "service" { type = string }
variable "public_host" { type = string }
variable "metrics" { type = bool }
variable "alerts" {
  type = object({ emails = list(string), channels = list(string) })
}
