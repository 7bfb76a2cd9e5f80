# What every deployment decides.

variable "name" {
  description = "What all resources are called, or begin with. Two deployments in one account and region need two names."
  type        = string
  default     = "autopgo"

  validation {
    # Of the names that are made of it the bucket's is the shortest: a prefix has 37 characters at the most.
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}[a-z0-9]$", var.name))
    error_message = "The name has 3 to 31 small letters, digits and hyphens, begins with a letter and ends with none of the hyphens."
  }
}

variable "server_zip" {
  description = "Path of the server's zip, as `cargo lambda build --package autopgo-lambda --output-format zip` makes it: target/lambda/autopgo-lambda-server/bootstrap.zip."
  type        = string

  validation {
    condition     = fileexists(var.server_zip)
    error_message = "There is no file of this name."
  }
}

variable "worker_zip" {
  description = "Path of the worker's zip: target/lambda/autopgo-lambda-worker/bootstrap.zip. A file of prune rules lies in it, beside bootstrap."
  type        = string

  validation {
    condition     = fileexists(var.worker_zip)
    error_message = "There is no file of this name."
  }
}

variable "architecture" {
  description = "What the zips were built for: arm64 (`cargo lambda build --arm64`) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Functions run on arm64 or x86_64."
  }
}

variable "kms_key_arn" {
  description = "A key of your own in KMS for the bucket, the topic, the queues, the log groups and the functions' environment. Its policy must let the services use it, as in examples/full. Without one each service encrypts with a key of its own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "Give the ARN of a key, not of an alias: policies name it."
  }
}

variable "permissions_boundary_arn" {
  description = "The policy that bounds what the two roles may be given, where your account wants one."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the logs of the functions and of the API."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653 days."
  }
}

variable "log_level" {
  description = "From which level on the functions log: error, warn, info, debug or trace."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug", "trace"], var.log_level)
    error_message = "The level is error, warn, info, debug or trace."
  }
}

variable "tags" {
  description = "Tags of every resource that takes some."
  type        = map(string)
  default     = {}
}
