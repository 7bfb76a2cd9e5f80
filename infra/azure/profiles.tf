resource "azurerm_storage_account" "profiles" {
  #checkov:skip=CKV_AZURE_33:There are no queues in it.
  #checkov:skip=CKV2_AZURE_1:Microsoft's keys encrypt it; with a key of one's own, whoever loses that loses the profiles.
  #checkov:skip=CKV2_AZURE_33:Flex Consumption reaches it over Microsoft's own network; a private endpoint wants a network, which this module has none of.
  #checkov:skip=CKV_AZURE_59:Clients put what is large straight into the container, by URLs that are signed for one object and some minutes.
  #checkov:skip=CKV_AZURE_206:ZRS is the default, in three buildings; a second region is the variable replication.
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
  #checkov:skip=CKV2_AZURE_21:The server logs each request with its token's name, where one of the store would know the app alone.
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
