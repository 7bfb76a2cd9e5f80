# What the app is told: functions/azure/README.md and the README have each of them.
locals {
  settings = merge(var.limits, {
    AUTOPGO_BLOB_STORE_URL   = "azblob://${azurerm_storage_container.profiles.name}?storage_account=${azurerm_storage_account.profiles.name}"
    AUTOPGO_EVENT_WRITER_URL = "azuresb://${local.topic}"
    AUTOPGO_TOKENS           = local.tokens
    AUTOPGO_COMPACT          = tostring(var.compact)
    AUTOPGO_SWEEP_AFTER      = var.sweep_after
    AUTOPGO_LOG_LEVEL        = var.log_level
    # As functionTimeout of host.json has it.
    AUTOPGO_FUNCTION_TIMEOUT = "10m"

    # Who we are to the store and the bus, and where the bus is.
    AZURE_CLIENT_ID           = azurerm_user_assigned_identity.app.client_id
    AZURE_SERVICEBUS_HOSTNAME = local.bus_host

    # The same for the trigger of the worker, whose connection is called SERVICEBUS_CONNECTION_STRING, and for the host.
    SERVICEBUS_CONNECTION_STRING__fullyQualifiedNamespace = local.bus_host
    SERVICEBUS_CONNECTION_STRING__credential              = "managedidentity"
    SERVICEBUS_CONNECTION_STRING__clientId                = azurerm_user_assigned_identity.app.client_id
    AzureWebJobsStorage__accountName                      = azurerm_storage_account.host.name
    AzureWebJobsStorage__credential                       = "managedidentity"
    AzureWebJobsStorage__clientId                         = azurerm_user_assigned_identity.app.client_id
    APPLICATIONINSIGHTS_CONNECTION_STRING                 = azurerm_application_insights.app.connection_string
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING             = "ClientId=${azurerm_user_assigned_identity.app.client_id};Authorization=AAD"
  }, var.prune_file == null ? {} : { AUTOPGO_PRUNE = var.prune_file })

  # The list itself, or where the host finds it.
  tokens = var.tokens_secret == null ? jsonencode([
    # An entry without apps is for all of them, and one with null would be a mistake.
    for token in var.tokens : { for key, value in token : key => value if value != null }
    ]) : join("", [
    "@Microsoft.KeyVault(VaultName=${basename(var.tokens_secret.vault_id)};SecretName=${var.tokens_secret.name}",
    var.tokens_secret.version == null ? "" : ";SecretVersion=${var.tokens_secret.version}",
    ")",
  ])
}
