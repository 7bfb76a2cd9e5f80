# What the Functions host needs for itself: locks of its timer, and the package that was deployed.
resource "azurerm_storage_account" "host" {
  #checkov:skip=CKV_AZURE_33:There are no queues in it.
  #checkov:skip=CKV2_AZURE_1:Microsoft's keys encrypt it; with a key of one's own, whoever loses that loses the profiles.
  #checkov:skip=CKV2_AZURE_33:Flex Consumption reaches it over Microsoft's own network; a private endpoint wants a network, which this module has none of.
  #checkov:skip=CKV_AZURE_59:The Functions host reaches it from no network of ours; without an identity that has a right nobody gets in.
  #checkov:skip=CKV_AZURE_206:All that is in it is made anew by a deployment.
  #checkov:skip=CKV2_AZURE_38:All that is in it is made anew by a deployment.
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
  #checkov:skip=CKV2_AZURE_21:What is read of it is the package, by the Functions host.
  name                  = "package"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}
