# Where, and what it is called. The other files variables-*.tf have what runs, who may, and what is kept.

variable "location" {
  description = "The region, by its short name, such as westeurope; one in which Flex Consumption is offered (az functionapp list-flexconsumption-locations)."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+[a-z0-9]*$", var.location))
    error_message = "location is the short name of a region, such as westeurope."
  }
}

variable "unique" {
  description = "What makes names of your own that the whole world shares: those of the storage accounts, the Service Bus namespace and the Function App."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,8}$", var.unique))
    error_message = "unique has 3 to 8 lower-case letters and digits, such as acme42."
  }
}

variable "name" {
  description = "What everything is called, or begins with."
  type        = string
  default     = "autopgo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,10}[a-z0-9]$", var.name))
    error_message = "name has 3 to 12 lower-case letters, digits and hyphens: storage accounts are called after it, and have no more than 24."
  }
}

variable "resource_group" {
  description = "The name of the resource group that is made for all of it. By default the name."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of whatever can have some."
  type        = map(string)
  default     = {}
}
