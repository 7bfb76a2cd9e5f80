output "api_url" {
  description = "The URL of the API: AUTOPGO_API_URL of the command, the scraper and CI."
  value       = "https://${jsondecode(azurerm_resource_group_template_deployment.app.output_content).host.value}"
}

output "resource_group" {
  description = "The resource group: where to deploy the zip to."
  value       = azurerm_resource_group.autopgo.name
}

output "function_app" {
  description = "The Function App: what to deploy the zip to."
  value       = local.app
}

output "storage_account" {
  description = "The storage account of profiles."
  value       = azurerm_storage_account.profiles.name
}

output "container" {
  description = "The container of profiles."
  value       = azurerm_storage_container.profiles.name
}

output "topic" {
  description = "The topic of events, by its resource id."
  value       = azurerm_servicebus_topic.events.id
}

output "identity" {
  description = "As whom the app does everything."
  value = {
    client_id    = azurerm_user_assigned_identity.app.client_id
    principal_id = azurerm_user_assigned_identity.app.principal_id
  }
}
