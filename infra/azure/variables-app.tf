# What runs.

variable "instance_memory" {
  description = "The memory of one instance, in MB: 512, 2048 or 4096. Up to 8 applications are merged side by side, each with its base profile in memory."
  type        = number
  default     = 2048

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory)
    error_message = "instance_memory is 512, 2048 or 4096, which Flex Consumption has."
  }
}

variable "runtime_version" {
  description = "The version of the runtime \"custom\" of Flex Consumption, as az functionapp list-flexconsumption-runtimes --runtime custom has it."
  type        = string
  default     = "1.0"
}

variable "max_instances" {
  description = "How many instances there are at the most, of all three functions together."
  type        = number
  default     = 40

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000
    error_message = "max_instances is 1 to 1000."
  }
}

variable "http_concurrency" {
  description = "How many requests one instance answers at once."
  type        = number
  default     = 40

  validation {
    condition     = var.http_concurrency >= 1 && var.http_concurrency <= 128
    error_message = "http_concurrency is 1 to 128: a server answers what comes above AUTOPGO_MAX_REQUESTS with 503."
  }
}

variable "compact" {
  description = "Whether base profiles are kept in compacted form, so that they stay small for ever."
  type        = bool
  default     = false
}

variable "sweep_after" {
  description = "How old a staged upload is before the sweep takes it, as Go writes durations."
  type        = string
  default     = "5m"

  validation {
    condition     = can(regex("^([0-9]+([.][0-9]+)?(h|m|s|ms))+$", var.sweep_after))
    error_message = "sweep_after is a duration such as 5m or 1h30m."
  }
}

variable "prune_file" {
  description = "The name of a file of prune rules that is in the zip beside host.json; none by default. What they cut is gone for good."
  type        = string
  default     = null

  validation {
    condition     = var.prune_file == null || can(regex("^[A-Za-z0-9._-]+$", var.prune_file))
    error_message = "prune_file is the name of a file beside host.json, such as prune.json."
  }
}

variable "log_level" {
  description = "From which level on the handler logs: debug, info, warn or error."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warn", "error"], var.log_level)
    error_message = "log_level is debug, info, warn or error."
  }
}

variable "limits" {
  description = "Limits of the server and the worker by their variables, such as { AUTOPGO_MAX_BODY_BYTES = \"16777216\" }; the README has all of them."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([for name in keys(var.limits) : contains([
      "AUTOPGO_MAX_BODY_BYTES", "AUTOPGO_MAX_TICKET_BYTES", "AUTOPGO_DOWNLOAD_CAP_BYTES",
      "AUTOPGO_MAX_UPLOAD_RAW_BYTES", "AUTOPGO_MAX_BASE_RAW_BYTES",
      "AUTOPGO_MAX_SAMPLES", "AUTOPGO_MAX_LOCATIONS", "AUTOPGO_MAX_FUNCTIONS", "AUTOPGO_MAX_STRINGS",
      "AUTOPGO_MAX_LABELS", "AUTOPGO_MAX_COMMENTS", "AUTOPGO_MAX_MERGE_BATCH", "AUTOPGO_WORKER_BATCHES",
      "AUTOPGO_DRAIN_TIMEOUT", "AUTOPGO_MAX_REQUESTS", "AUTOPGO_HEADER_TIMEOUT", "AUTOPGO_IDLE_TIMEOUT",
    ], name)])
    error_message = "limits has a variable that is no limit; the README's table of limits has those that there are."
  }
}
