terraform {
  required_version = ">= 1.11" # write-only attributes keep secrets out of the state

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.2, < 9"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  backend "gcs" {} # scripts/deploy sets bucket and prefix with -backend-config
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = var.labels
}
