# What is kept for how long, and who is told.

variable "replication" {
  description = "How often the profiles are stored: LRS in one building, ZRS in three, GRS and GZRS in another region as well."
  type        = string
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "GZRS", "RAGRS", "RAGZRS"], var.replication)
    error_message = "replication is LRS, ZRS, GRS, GZRS, RAGRS or RAGZRS."
  }
}

variable "noncurrent_days" {
  description = "For how many days versions are kept that were deleted or written over, for a mistake to be undone. Every merge writes a base profile over, and every upload is deleted once it is merged; all of that is paid for as long."
  type        = number
  default     = 7

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days is at least 1."
  }
}

variable "message_retention" {
  description = "How long messages that nobody took are kept before they are dead letters, as ISO 8601 writes durations."
  type        = string
  default     = "P7D"

  validation {
    condition     = can(regex("^P([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$", var.message_retention)) && var.message_retention != "P"
    error_message = "message_retention is a duration such as P7D or PT12H."
  }
}

variable "delivery_attempts" {
  description = "How often a message is delivered before it is a dead letter. Service Bus waits for nothing between two tries, so a few would be gone in a moment. What it told of is in the container still, and swept."
  type        = number
  default     = 100

  validation {
    condition     = var.delivery_attempts >= 10 && var.delivery_attempts <= 2000
    error_message = "delivery_attempts is 10 to 2000."
  }
}

variable "log_retention_days" {
  description = "For how many days logs are kept; 31 are in the price."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "log_retention_days is 30 to 730."
  }
}

variable "alert_emails" {
  description = "Addresses that alerts go to."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alert_emails are addresses of e-mail."
  }
}

variable "action_groups" {
  description = "Action groups that there are already, by their resource ids, that alerts go to as well."
  type        = list(string)
  default     = []
}
