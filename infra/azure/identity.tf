# As whom the app does everything: there is no key of anything. Each right is as narrow as Azure can have it.
resource "azurerm_user_assigned_identity" "app" {
  name                = local.app
  resource_group_name = azurerm_resource_group.autopgo.name
  location            = azurerm_resource_group.autopgo.location
  tags                = local.tags
}

locals {
  rights = {
    # Profiles: read, write, delete and list.
    profiles = {
      role  = "Storage Blob Data Contributor"
      scope = azurerm_storage_container.profiles.id
    }
    # URLs for what is too large for a request are signed by a key that the account lends.
    signs = {
      role  = "Storage Blob Delegator"
      scope = azurerm_storage_account.profiles.id
    }
    sends = {
      role  = "Azure Service Bus Data Sender"
      scope = azurerm_servicebus_topic.events.id
    }
    receives = {
      role  = "Azure Service Bus Data Receiver"
      scope = azurerm_servicebus_subscription.worker.id
    }
    # The Functions host keeps locks of its timer and the deployed package there, and no profile is in that account.
    host = {
      role  = "Storage Blob Data Owner"
      scope = azurerm_storage_account.host.id
    }
    tells = {
      role  = "Monitoring Metrics Publisher"
      scope = azurerm_application_insights.app.id
    }
  }
  # Of one secret, and not of its vault.
  secret_rights = var.tokens_secret == null ? {} : {
    tokens = {
      role  = "Key Vault Secrets User"
      scope = "${var.tokens_secret.vault_id}/secrets/${var.tokens_secret.name}"
    }
  }
}

resource "azurerm_role_assignment" "app" {
  for_each = merge(local.rights, local.secret_rights)

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"
}
