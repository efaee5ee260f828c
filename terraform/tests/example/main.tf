# Reads an example as Terraform reads a tfvars file.
terraform {
  required_providers {
    terraform = { source = "terraform.io/builtin/terraform" }
  }
}

variable "file" { type = string }

output "values" {
  value = provider::terraform::decode_tfvars(file(var.file))
}
