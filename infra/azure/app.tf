# Flex Consumption: the plan that scales each function by itself, ends at nothing, and takes identities for all that it needs.
# Plain Consumption on Linux is being retired, and Premium wants a key for its file share.
resource "azurerm_service_plan" "flex" {
  #checkov:skip=CKV_AZURE_212:Flex Consumption has no number of workers; it makes as many as there is work for.
  #checkov:skip=CKV_AZURE_225:Flex Consumption knows zones by a property of its own, where a region has them.
  name                = local.app
  resource_group_name = azurerm_resource_group.autopgo.name
  location            = azurerm_resource_group.autopgo.location
  tags                = local.tags
  os_type             = "Linux"
  sku_name            = "FC1"
}

locals {
  site = {
    type       = "Microsoft.Web/sites"
    apiVersion = "2024-04-01"
    name       = local.app
    location   = azurerm_resource_group.autopgo.location
    tags       = local.tags
    kind       = "functionapp,linux"

    identity = {
      type                   = "UserAssigned"
      userAssignedIdentities = { (azurerm_user_assigned_identity.app.id) = {} }
    }

    properties = {
      serverFarmId              = azurerm_service_plan.flex.id
      httpsOnly                 = true
      publicNetworkAccess       = "Enabled"
      keyVaultReferenceIdentity = azurerm_user_assigned_identity.app.id

      functionAppConfig = {
        runtime = { name = "custom", version = var.runtime_version }
        deployment = {
          storage = {
            type  = "blobContainer"
            value = "${azurerm_storage_account.host.primary_blob_endpoint}${azurerm_storage_container.package.name}"
            authentication = {
              type                           = "UserAssignedIdentity"
              userAssignedIdentityResourceId = azurerm_user_assigned_identity.app.id
            }
          }
        }
        scaleAndConcurrency = {
          instanceMemoryMB     = var.instance_memory
          maximumInstanceCount = var.max_instances
          triggers             = { http = { perInstanceConcurrency = var.http_concurrency } }
        }
      }

      siteConfig = {
        minTlsVersion    = "1.2"
        scmMinTlsVersion = "1.2"
        ftpsState        = "Disabled"
        http20Enabled    = true
        appSettings      = "[parameters('settings')]"
      }
    }
  }

  # Whoever deploys is known by Entra: there are no passwords for publishing.
  passwords = [for way in ["ftp", "scm"] : {
    type       = "Microsoft.Web/sites/basicPublishingCredentialsPolicies"
    apiVersion = "2024-04-01"
    name       = "${local.app}/${way}"
    dependsOn  = ["[resourceId('Microsoft.Web/sites', '${local.app}')]"]
    properties = { allow = false }
  }]
}

# By a template of Azure's: the provider's own resource for this plan adds AzureWebJobsStorage with a key, or empty, where an
# identity is asked for, and the host takes it at its word (hashicorp/terraform-provider-azurerm#29693, #30732).
resource "azurerm_resource_group_template_deployment" "app" {
  name                = local.app
  resource_group_name = azurerm_resource_group.autopgo.name
  deployment_mode     = "Incremental"
  tags                = local.tags

  template_content = jsonencode({
    "$schema"      = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    contentVersion = "1.0.0.0"
    parameters     = { settings = { type = "array" } }
    resources      = concat([local.site], local.passwords)
    outputs = {
      host = { type = "string", value = "[reference(resourceId('Microsoft.Web/sites', '${local.app}')).defaultHostName]" }
    }
  })

  # As a parameter, where a list of tokens is no expression for beginning with a bracket.
  parameters_content = jsonencode({
    settings = { value = [for name in sort(keys(local.settings)) : { name = name, value = local.settings[name] }] }
  })

  # It reads its settings with them, and starts at once.
  depends_on = [azurerm_role_assignment.app]
}
