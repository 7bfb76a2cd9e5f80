# As a company might have it: the tokens in a Key Vault, two regions, compaction, alerts by e-mail, logs for a year.

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
  storage_use_azuread = true
}

module "autopgo" {
  source = "../.."

  location       = var.location
  unique         = var.unique
  name           = "pgo-build"
  resource_group = "autopgo-build"
  tags           = { team = "build", stage = "production" }

  instance_memory = 4096
  max_instances   = 100
  compact         = true
  prune_file      = "prune.json"
  limits          = { AUTOPGO_MAX_BODY_BYTES = "16777216" }

  tokens_secret = { vault_id = var.vault_id, name = "autopgo-tokens" }

  replication        = "GZRS"
  noncurrent_days    = 14
  message_retention  = "P14D"
  log_retention_days = 365
  alert_emails       = var.alert_emails
}
