# What the Functions host needs for itself: locks of its timer, and the package that was deployed.
resource "azurerm_storage_account" "host" {
  name                             = "${local.compressed}${var.unique}host"
  resource_group_name              = azurerm_resource_group.autopgo.name
  location                         = azurerm_resource_group.autopgo.location
  tags                             = local.tags
  account_kind                     = "StorageV2"
  account_tier                     = "Standard"
  account_replication_type         = "LRS"
  min_tls_version                  = "TLS1_2"
  https_traffic_only_enabled       = true
  allow_nested_items_to_be_public  = false
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  local_user_enabled               = false
  cross_tenant_replication_enabled = false
  public_network_access_enabled    = true
}

resource "azurerm_storage_container" "package" {
  name                  = "package"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}
