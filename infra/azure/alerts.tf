# What somebody should look at. The README says what to do about each.

resource "azurerm_monitor_action_group" "email" {
  count = length(var.alert_emails) > 0 ? 1 : 0

  name                = local.app
  resource_group_name = azurerm_resource_group.autopgo.name
  short_name          = "autopgo"
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = toset(var.alert_emails)
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

locals {
  action_groups = concat(azurerm_monitor_action_group.email[*].id, var.action_groups)

  # Of the bus: what its topic has.
  waiting = {
    dead-letters = {
      says        = "Messages are dead letters. What they told of is in the container still, and the sweep merges it; something kept the worker from it."
      metric      = "DeadletteredMessages"
      aggregation = "Maximum"
      above       = 0
      window      = "PT5M"
    }
    backlog = {
      says        = "More than a thousand messages have waited for a quarter of an hour: the worker is down, or max_instances is too small."
      metric      = "ActiveMessages"
      aggregation = "Minimum"
      above       = 1000
      window      = "PT15M"
    }
  }

  # Of the app: what stands in its logs.
  logged = {
    server-errors = {
      says     = "The server has answered with 5xx, more than five times in five minutes."
      query    = "AppRequests | where OperationName == 'server' and toint(ResultCode) >= 500"
      operator = "GreaterThan"
      count    = 5
      window   = "PT5M"
    }
    worker-failures = {
      says     = "The worker or the sweep has failed, more than five times in a quarter of an hour."
      query    = "AppRequests | where OperationName in ('worker', 'sweep') and Success == false"
      operator = "GreaterThan"
      count    = 5
      window   = "PT15M"
    }
    unswept = {
      says     = "Staged uploads could not be swept, and stay where they are."
      query    = "AppTraces | where Message has 'could not be swept'"
      operator = "GreaterThan"
      count    = 0
      window   = "PT15M"
    }
    oldest = {
      says     = "The oldest staged upload had waited for more than an hour when it was swept."
      query    = "AppTraces | where Message contains 'oldest_seconds' | where toint(extract('\"oldest_seconds\":([0-9]+)', 1, Message)) > 3600"
      operator = "GreaterThan"
      count    = 0
      window   = "PT15M"
    }
    # If nobody sweeps, nobody says that uploads wait. The timer calls every minute, whatever there is to do.
    nobody-sweeps = {
      says     = "No sweep has ended well for a quarter of an hour: uploads may wait."
      query    = "AppRequests | where OperationName == 'sweep' and Success == true"
      operator = "LessThan"
      count    = 1
      window   = "PT15M"
    }
  }
}

resource "azurerm_monitor_metric_alert" "waiting" {
  for_each = local.waiting

  name                = "${local.app}-${each.key}"
  resource_group_name = azurerm_resource_group.autopgo.name
  scopes              = [azurerm_servicebus_namespace.bus.id]
  description         = each.value.says
  severity            = 2
  frequency           = "PT5M"
  window_size         = each.value.window
  tags                = local.tags

  criteria {
    metric_namespace = "Microsoft.ServiceBus/namespaces"
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = "GreaterThan"
    threshold        = each.value.above

    dimension {
      name     = "EntityName"
      operator = "Include"
      values   = [azurerm_servicebus_topic.events.name]
    }
  }

  dynamic "action" {
    for_each = toset(local.action_groups)
    content {
      action_group_id = action.value
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "logged" {
  for_each = local.logged

  name                    = "${local.app}-${each.key}"
  resource_group_name     = azurerm_resource_group.autopgo.name
  location                = azurerm_resource_group.autopgo.location
  scopes                  = [azurerm_log_analytics_workspace.autopgo.id]
  description             = each.value.says
  severity                = 2
  evaluation_frequency    = "PT5M"
  window_duration         = each.value.window
  auto_mitigation_enabled = true
  # The tables come with the first line.
  skip_query_validation = true
  tags                  = local.tags

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = each.value.operator
    threshold               = each.value.count
  }

  dynamic "action" {
    for_each = length(local.action_groups) > 0 ? [local.action_groups] : []
    content {
      action_groups = action.value
    }
  }
}
