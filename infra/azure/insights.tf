# Logs and requests. The app tells them as its identity; nobody can with the key alone.
resource "azurerm_log_analytics_workspace" "autopgo" {
  name                         = local.app
  resource_group_name          = azurerm_resource_group.autopgo.name
  location                     = azurerm_resource_group.autopgo.location
  tags                         = local.tags
  sku                          = "PerGB2018"
  retention_in_days            = var.log_retention_days
  local_authentication_enabled = false
}

resource "azurerm_application_insights" "app" {
  name                          = local.app
  resource_group_name           = azurerm_resource_group.autopgo.name
  location                      = azurerm_resource_group.autopgo.location
  tags                          = local.tags
  application_type              = "web"
  workspace_id                  = azurerm_log_analytics_workspace.autopgo.id
  local_authentication_disabled = true
}
