# Who may. Nothing is asked of Azure.

mock_provider "azurerm" {
  mock_resource "azurerm_resource_group_template_deployment" {
    defaults = { output_content = "{\"host\":{\"value\":\"autopgo-acme42.azurewebsites.net\"}}" }
  }
  # What an id is made into is looked at by nobody here but by this.
  mock_resource "azurerm_storage_account" {
    defaults = { primary_blob_endpoint = "https://autopgoacme42host.blob.core.windows.net/" }
  }
}

variables {
  location = "westeurope"
  unique   = "acme42"
}

run "without_tokens_nothing_is_open" {
  command         = plan
  expect_failures = [var.tokens]
}

run "tokens" {
  command = apply

  variables {
    tokens = [
      { name = "ci", sha256 = "bdfa0d5a7e1f4a0b8a5d6ac6ec8f40d5a3f5e0c0a7b9d8c7e6f5a4b3c2d1e0f9", scopes = ["download"], apps = ["checkout"] },
      { name = "scraper", sha256 = "07c30d5a7e1f4a0b8a5d6ac6ec8f40d5a3f5e0c0a7b9d8c7e6f5a4b3c2d1e0f9", scopes = ["upload"] },
    ]
  }

  assert {
    condition     = [for entry in jsondecode(local.settings.AUTOPGO_TOKENS) : keys(entry)] == [["apps", "name", "scopes", "sha256"], ["name", "scopes", "sha256"]]
    error_message = "an entry is not as the server reads it: apps is there, or is left out"
  }
  # Azure takes a text in a template that begins with a bracket for an expression.
  assert {
    condition = alltrue([for text in regexall("\"\\[[^\"]*", azurerm_resource_group_template_deployment.app.template_content) : anytrue([
    startswith(text, "\"[parameters("), startswith(text, "\"[reference("), startswith(text, "\"[resourceId(")])])
    error_message = "the template has a text that Azure would take for an expression"
  }
  assert {
    condition     = { for one in jsondecode(azurerm_resource_group_template_deployment.app.parameters_content).settings.value : one.name => one.value } == local.settings
    error_message = "the app is not told its settings"
  }
  assert {
    condition     = length([for name in keys(local.settings) : name if contains(["AZURE_STORAGE_KEY", "SERVICEBUS_CONNECTION_STRING", "AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"], name)]) == 0
    error_message = "there is a key, or what Flex Consumption refuses"
  }
  assert {
    condition     = output.api_url == "https://autopgo-acme42.azurewebsites.net"
    error_message = "the URL is not the app's"
  }
}

run "a_list_of_somebody_elses" {
  command = apply

  variables {
    tokens_secret = { vault_id = "/subscriptions/0/resourceGroups/g/providers/Microsoft.KeyVault/vaults/their-vault", name = "tokens" }
  }

  assert {
    condition     = local.settings.AUTOPGO_TOKENS == "@Microsoft.KeyVault(VaultName=their-vault;SecretName=tokens)"
    error_message = "the host does not know where the list is"
  }
  assert {
    condition     = azurerm_role_assignment.app["tokens"].scope == "/subscriptions/0/resourceGroups/g/providers/Microsoft.KeyVault/vaults/their-vault/secrets/tokens"
    error_message = "the app may read more than the list"
  }
}

run "a_token_is_no_hash" {
  command = plan

  variables {
    tokens = [{ name = "ci", sha256 = "autopgo_0123456789", scopes = ["download"] }]
  }

  expect_failures = [var.tokens]
}
