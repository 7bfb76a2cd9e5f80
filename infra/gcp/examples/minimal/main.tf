# The least that has to be said: where, which image, and one token for everything.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}

variable "project" {
  description = "The id of the project."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
  default     = "europe-west1"
}

variable "image" {
  description = "The image, with its tag."
  type        = string
}

variable "token_sha256" {
  description = "The SHA-256 of a token, as `autopgo token` says it."
  type        = string
}

module "autopgo" {
  source = "../.."

  project = var.project
  region  = var.region
  image   = var.image
  tokens  = [{ name = "first", sha256 = var.token_sha256, scopes = ["upload", "download", "delete"] }]
}

output "api_url" {
  description = "The URL of the API."
  value       = module.autopgo.api_url
}
