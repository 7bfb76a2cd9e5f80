# What is kept for how long, and who is told.

variable "message_retention" {
  description = "How long messages that nobody took are kept, in seconds: 10 minutes to 31 days."
  type        = number
  default     = 604800

  validation {
    condition     = var.message_retention >= 600 && var.message_retention <= 2678400
    error_message = "message_retention is 600 to 2678400 seconds."
  }
}

variable "message_ordering" {
  description = "Whether messages of one application are pushed one after the other. Nothing needs it, and with it nothing gathers for one merge. Changing it makes the subscription anew."
  type        = bool
  default     = false
}

variable "delivery_attempts" {
  description = "How often a message is pushed before it is a dead letter. What it told of is in the bucket still, and swept."
  type        = number
  default     = 10

  validation {
    condition     = var.delivery_attempts >= 5 && var.delivery_attempts <= 100
    error_message = "delivery_attempts is 5 to 100."
  }
}

variable "soft_delete_days" {
  description = "For how many days the bucket keeps what was deleted or written over, for a mistake to be undone: 0, or 7 to 90. Every merge writes a base profile over, and every upload is deleted once it is merged; all of that is paid for as long."
  type        = number
  default     = 7

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "soft_delete_days is 0, or 7 to 90."
  }
}

variable "versioning" {
  description = "Whether the bucket keeps older versions of objects as well, for noncurrent_days. Soft deletion does that already."
  type        = bool
  default     = false
}

variable "noncurrent_days" {
  description = "After how many days an older version goes."
  type        = number
  default     = 7

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days is at least 1."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` deletes the profiles too. Without it, it stops at a bucket that has some."
  type        = bool
  default     = false
}

variable "kms_key" {
  description = "A key of Cloud KMS for the bucket, the topics and the secrets, by its full name; the service agents of Cloud Storage, Pub/Sub and Secret Manager must be allowed to use it. By default Google's own keys encrypt."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/NAME."
  }
}

variable "log_retention_days" {
  description = "For how many days the services' logs are kept in a log bucket of their own. By default there is none, and the project's _Default has them, for 30 days."
  type        = number
  default     = null

  validation {
    condition     = var.log_retention_days == null ? true : var.log_retention_days >= 1 && var.log_retention_days <= 3650
    error_message = "log_retention_days is 1 to 3650."
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

variable "notification_channels" {
  description = "Channels of Cloud Monitoring that there are already, by their full names, that alerts go to as well."
  type        = list(string)
  default     = []
}
