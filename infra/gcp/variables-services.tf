# What runs.

variable "image" {
  description = "The image of functions/cloudrun/Dockerfile, by tag or digest, where Cloud Run can pull it: REGION-docker.pkg.dev/PROJECT/REPOSITORY/cloudrun:VERSION."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?/.+[:@].+$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image names a registry, and a tag or a digest that is not latest: what runs should change when this does."
  }
}

variable "server" {
  description = "The size of the server: its memory and processors, requests that one instance answers at once, and how many instances there are at the least and at the most."
  type = object({
    cpu           = optional(string, "1")
    memory        = optional(string, "1Gi")
    concurrency   = optional(number, 40)
    min_instances = optional(number, 0)
    max_instances = optional(number, 10)
  })
  default = {}

  validation {
    condition     = var.server.concurrency >= 1 && var.server.concurrency <= 128
    error_message = "server.concurrency is 1 to 128: a server answers what comes above AUTOPGO_MAX_REQUESTS with 503."
  }
  validation {
    condition     = var.server.max_instances >= 1 && var.server.min_instances >= 0 && var.server.min_instances <= var.server.max_instances
    error_message = "server.max_instances is at least 1, and not below server.min_instances."
  }
}

variable "worker" {
  description = "The size of the worker, as of the server. Up to 8 applications are merged side by side, each with its base profile in memory."
  type = object({
    cpu           = optional(string, "1")
    memory        = optional(string, "2Gi")
    concurrency   = optional(number, 80)
    min_instances = optional(number, 0)
    max_instances = optional(number, 4)
  })
  default = {}

  validation {
    condition     = var.worker.concurrency >= 1 && var.worker.concurrency <= 128
    error_message = "worker.concurrency is 1 to 128: a worker answers what comes above AUTOPGO_MAX_REQUESTS with 503."
  }
  validation {
    condition     = var.worker.max_instances >= 1 && var.worker.min_instances >= 0 && var.worker.min_instances <= var.worker.max_instances
    error_message = "worker.max_instances is at least 1, and not below worker.min_instances."
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

variable "sweep_deadline" {
  description = "How long the schedule waits for a sweep, in seconds. The next one goes on where it ended."
  type        = number
  default     = 180

  validation {
    condition     = var.sweep_deadline >= 15 && var.sweep_deadline <= 600
    error_message = "sweep_deadline is 15 to 600 seconds: the worker's requests have no more."
  }
}

variable "prune_rules" {
  description = "The text of a file of prune rules, such as file(\"prune.json\"); none by default. What they cut is gone for good."
  type        = string
  default     = null
}

variable "log_level" {
  description = "From which level on the services log: debug, info, warn or error."
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
      "AUTOPGO_MAX_REQUESTS", "AUTOPGO_HEADER_TIMEOUT", "AUTOPGO_IDLE_TIMEOUT",
    ], name)])
    error_message = "limits has a variable that is no limit; the README's table of limits has those that there are."
  }
}
