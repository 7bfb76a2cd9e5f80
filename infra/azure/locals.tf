locals {
  tags = merge({ app = "autopgo" }, var.tags)
  # As accounts of storage are called.
  compressed = replace(var.name, "-", "")
  app        = "${var.name}-${var.unique}"

  # What functions/azure/worker/function.json and azuresb:// are told, and cannot be told otherwise.
  topic        = "pgo"
  subscription = "worker"

  bus_host = "${azurerm_servicebus_namespace.bus.name}.servicebus.windows.net"
}
