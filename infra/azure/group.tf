resource "azurerm_resource_group" "autopgo" {
  name     = coalesce(var.resource_group, var.name)
  location = var.location
  tags     = local.tags
}
