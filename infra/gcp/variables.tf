# Where, and what it is called. The other files variables-*.tf have what runs, who may, and what is kept.

variable "project" {
  description = "The id of the Google Cloud project that everything is made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is the project's id, such as acme-build: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "The region of the services, the bucket and the schedule, such as europe-west1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is one of Google Cloud's regions, such as europe-west1; a zone or a multi-region is none."
  }
}

variable "name" {
  description = "What everything is called, or begins with."
  type        = string
  default     = "autopgo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name has 3 to 20 lower-case letters, digits and hyphens: service accounts are called after it, and have no more than 30."
  }
}

variable "bucket" {
  description = "The name of the bucket of profiles; no two buckets of the world have the same. By default the project's id and name."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket has 3 to 63 lower-case letters, digits, hyphens, underscores and dots."
  }
}

variable "labels" {
  description = "Labels of whatever can have some."
  type        = map(string)
  default     = {}
}

variable "enable_apis" {
  description = "Whether to enable the APIs of Google Cloud that are used. They stay enabled when all this is destroyed."
  type        = bool
  default     = true
}
