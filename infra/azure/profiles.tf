resource "azurerm_storage_account" "profiles" {
  name                            = "${local.compressed}${var.unique}"
  resource_group_name             = azurerm_resource_group.autopgo.name
  location                        = azurerm_resource_group.autopgo.location
  tags                            = local.tags
  account_kind                    = "StorageV2"
  account_tier                    = "Standard"
  account_replication_type        = var.replication
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  allow_nested_items_to_be_public = false
  # Nobody comes with a key, nor with what is signed by one: URLs are signed by what an identity is lent.
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  cross_tenant_replication_enabled = false

  # Clients put what is large straight into the container.
  public_network_access_enabled = true

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 7
    }
  }
}

resource "azurerm_storage_container" "profiles" {
  name                  = "profiles"
  storage_account_id    = azurerm_storage_account.profiles.id
  container_access_type = "private"
}

# Older versions alone may go. What is in `staging/` waits for the worker however long that is away, and the sweep ages out
# `incoming/` and `rejected/`, which a rule could not find: names begin with the application. Blocks of uploads that were not
# ended go after a week by themselves.
resource "azurerm_storage_management_policy" "profiles" {
  storage_account_id = azurerm_storage_account.profiles.id

  rule {
    name    = "older-versions"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      version {
        delete_after_days_since_creation = var.noncurrent_days
      }
    }
  }
}
