# Events: what was uploaded, merged and deleted. Topics need the tier Standard.
resource "azurerm_servicebus_namespace" "bus" {
  #checkov:skip=CKV_AZURE_199:Double encryption is of the tier Premium; messages have names of applications in them, and no profiles.
  #checkov:skip=CKV_AZURE_201:A key of one's own is of the tier Premium, as above.
  #checkov:skip=CKV_AZURE_202:An identity of the namespace's own is for such a key; those who use it come with theirs.
  #checkov:skip=CKV_AZURE_204:Private endpoints are of the tier Premium; keys are refused, so that nobody gets in without an identity that has a right.
  name                = local.app
  resource_group_name = azurerm_resource_group.autopgo.name
  location            = azurerm_resource_group.autopgo.location
  tags                = local.tags
  sku                 = "Standard"
  minimum_tls_version = "1.2"
  # Identities alone: keys are refused.
  local_auth_enabled = false
  # A namespace of this tier cannot be elsewhere.
  public_network_access_enabled = true
}

resource "azurerm_servicebus_topic" "events" {
  name                  = local.topic
  namespace_id          = azurerm_servicebus_namespace.bus.id
  default_message_ttl   = var.message_retention
  max_size_in_megabytes = 1024
}

resource "azurerm_servicebus_subscription" "worker" {
  name     = local.subscription
  topic_id = azurerm_servicebus_topic.events.id
  # The longest that there is; the host renews it for as long as host.json says.
  lock_duration      = "PT5M"
  max_delivery_count = var.delivery_attempts
  # No order is needed, and the trigger takes no sessions.
  requires_session                          = false
  default_message_ttl                       = var.message_retention
  dead_lettering_on_message_expiration      = true
  dead_lettering_on_filter_evaluation_error = true
}
