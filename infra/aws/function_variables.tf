# Sizes and settings of the two functions.

variable "server" {
  description = "The server's memory in MB, its timeout in seconds (the gateway gives up after 30), and how many may run at once (-1: as many as the account has; accounts that are new have too few to set some apart)."
  type = object({
    memory      = optional(number, 512)
    timeout     = optional(number, 29)
    concurrency = optional(number, 50)
  })
  default = {}

  validation {
    condition     = var.server.memory >= 128 && var.server.memory <= 10240
    error_message = "A function has 128 to 10240 MB."
  }

  validation {
    condition     = var.server.timeout >= 1 && var.server.timeout <= 30
    error_message = "Nobody waits for the server longer than the 30 s of the gateway."
  }

  validation {
    condition     = var.server.concurrency == -1 || var.server.concurrency >= 1
    error_message = "A concurrency of 0 would answer nobody; -1 is no bound."
  }
}

variable "worker" {
  description = "The worker's memory in MB (1769 is one whole core), its timeout in seconds, how many may run at once (-1 as above), and how many of them the queue may have; the difference is the sweep's."
  type = object({
    memory            = optional(number, 1769)
    timeout           = optional(number, 120)
    concurrency       = optional(number, 12)
    queue_concurrency = optional(number, 10)
  })
  default = {}

  validation {
    condition     = var.worker.memory >= 128 && var.worker.memory <= 10240
    error_message = "A function has 128 to 10240 MB."
  }

  validation {
    condition     = var.worker.timeout >= 5 && var.worker.timeout <= 900
    error_message = "The worker has 5 to 900 seconds."
  }

  validation {
    condition     = var.worker.queue_concurrency >= 2 && var.worker.queue_concurrency <= 1000
    error_message = "SQS takes a concurrency of 2 to 1000."
  }

  validation {
    condition     = var.worker.concurrency == -1 || var.worker.concurrency > var.worker.queue_concurrency
    error_message = "The queue must leave the sweep a run: concurrency is above queue_concurrency, or -1."
  }
}

variable "server_environment" {
  description = "More of the server's environment: its limits, AUTOPGO_MAX_BODY_BYTES for one, or AWS_ENDPOINT_URL."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.server_environment), ["AUTOPGO_BLOB_STORE_URL", "AUTOPGO_EVENT_WRITER_URL", "AUTOPGO_TOKENS", "AUTOPGO_LOG_LEVEL"])) == 0
    error_message = "AUTOPGO_BLOB_STORE_URL, AUTOPGO_EVENT_WRITER_URL, AUTOPGO_TOKENS and AUTOPGO_LOG_LEVEL are set by this module."
  }
}

variable "worker_environment" {
  description = "More of the worker's environment: AUTOPGO_COMPACT, AUTOPGO_PRUNE, AUTOPGO_SWEEP_AFTER, a limit, or AWS_ENDPOINT_URL. At an endpoint of your own the worker tries whether the store honours conditional writes, and is permitted to."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.worker_environment), ["AUTOPGO_BLOB_STORE_URL", "AUTOPGO_EVENT_WRITER_URL", "AUTOPGO_LOG_LEVEL"])) == 0
    error_message = "AUTOPGO_BLOB_STORE_URL, AUTOPGO_EVENT_WRITER_URL and AUTOPGO_LOG_LEVEL are set by this module."
  }
}
