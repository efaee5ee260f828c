variable "name" {
  description = "Name of the rate limiter, in titles and in names of the store."
  type        = string
}
variable "project_id" {
  description = "Project that is monitored."
  type        = string
}
variable "region" {
  description = "Region of the front."
  type        = string
}
variable "store" {
  description = "The root's variable store."
  type        = string
}
variable "service" {
  description = "Name of the front's Cloud Run service."
  type        = string
}
variable "public_host" {
  description = "Host of the front if the internet can reach it; null if not."
  type        = string
}
variable "metrics" {
  description = "Whether the fronts' metrics are collected."
  type        = bool
}
variable "alerts" {
  description = "The root's variable alerts, which documents and validates it."
  type        = object({ emails = list(string), channels = list(string) })
}
