variable "name" {
  description = "What all resources are called, or begin with."
  type        = string
  default     = "autopgo"
}

variable "zips" {
  description = "The folder in which `cargo lambda build --output-format zip` left the zips: target/lambda at the root of the repository."
  type        = string
  default     = "../../../../target/lambda"
}

variable "architecture" {
  description = "What they were built for."
  type        = string
  default     = "arm64"
}

variable "tokens" {
  description = "The entries that `autopgo token` prints, as a list."
  type        = list(object({ name = string, sha256 = string, scopes = list(string), apps = optional(list(string)) }))
  sensitive   = true
}

variable "alarm_mails" {
  description = "Addresses that are told of alarms."
  type        = set(string)
  default     = []
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the profiles."
  type        = bool
  default     = false
}

variable "server_environment" {
  description = "More of the server's environment."
  type        = map(string)
  default     = {}
}

variable "worker_environment" {
  description = "More of the worker's environment."
  type        = map(string)
  default     = {}
}
