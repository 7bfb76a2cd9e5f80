# What goes and what stays.

mock_provider "azurerm" {}

variables {
  location = "westeurope"
  unique   = "acme42"
  tokens   = [{ name = "ci", sha256 = "bdfa0d5a7e1f4a0b8a5d6ac6ec8f40d5a3f5e0c0a7b9d8c7e6f5a4b3c2d1e0f9", scopes = ["download"] }]
}

run "nothing_that_is_current_expires" {
  command = plan

  assert {
    condition     = alltrue([for rule in azurerm_storage_management_policy.profiles.rule : length(rule.actions[0].base_blob) == 0 && length(rule.actions[0].version) == 1])
    error_message = "a rule could take what waits in staging/"
  }
}

run "no_key_opens_anything" {
  command = plan

  assert {
    condition     = !azurerm_storage_account.profiles.shared_access_key_enabled && !azurerm_storage_account.host.shared_access_key_enabled && !azurerm_servicebus_namespace.bus.local_auth_enabled
    error_message = "a key opens something"
  }
  assert {
    condition     = azurerm_storage_container.profiles.container_access_type == "private" && !azurerm_storage_account.profiles.allow_nested_items_to_be_public
    error_message = "profiles can be read by everybody"
  }
}

run "the_bus_is_as_the_functions_want_it" {
  command = plan

  assert {
    condition     = azurerm_servicebus_topic.events.name == jsondecode(file("../../functions/azure/worker/function.json")).bindings[0].topicName && azurerm_servicebus_subscription.worker.name == jsondecode(file("../../functions/azure/worker/function.json")).bindings[0].subscriptionName
    error_message = "the trigger listens elsewhere"
  }
  assert {
    condition     = azurerm_servicebus_subscription.worker.requires_session == false && azurerm_servicebus_subscription.worker.max_delivery_count == 100
    error_message = "the trigger takes no sessions, and tries often"
  }
  assert {
    condition     = local.settings.AUTOPGO_FUNCTION_TIMEOUT == "10m" && jsondecode(file("../../functions/azure/host.json")).functionTimeout == "00:10:00"
    error_message = "the handler thinks that it may run longer than it may"
  }
}

run "a_limit_that_is_none" {
  command = plan

  variables {
    limits = { AUTOPGO_MAX_BODY_BYTE = "1" }
  }

  expect_failures = [var.limits]
}
