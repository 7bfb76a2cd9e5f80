# The least that has to be said: where, a few letters of your own, and one token for everything.

terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.55"
    }
  }
}

provider "azurerm" {
  features {}
  # The accounts take no keys, not from Terraform either.
  storage_use_azuread = true
}

variable "location" {
  description = "The region."
  type        = string
  default     = "westeurope"
}

variable "unique" {
  description = "3 to 8 letters and digits that make names of your own."
  type        = string
}

variable "token_sha256" {
  description = "The SHA-256 of a token, as `autopgo token` says it."
  type        = string
}

module "autopgo" {
  source = "../.."

  location = var.location
  unique   = var.unique
  tokens   = [{ name = "first", sha256 = var.token_sha256, scopes = ["upload", "download", "delete"] }]
}

output "api_url" {
  description = "The URL of the API."
  value       = module.autopgo.api_url
}

output "resource_group" {
  description = "Where to deploy the zip to."
  value       = module.autopgo.resource_group
}

output "function_app" {
  description = "What to deploy the zip to."
  value       = module.autopgo.function_app
}
