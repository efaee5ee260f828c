terraform {
  required_version = ">= 1.11" # write-only attributes: what is secret is not in the state

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

  backend "gcs" {} # bucket and prefix by -backend-config: scripts/deploy gives them
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = var.labels
}
