variable "project" {
  description = "The id of the project."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
  default     = "europe-west1"
}

variable "image" {
  description = "The image, with its tag."
  type        = string
}

variable "ci_sha256" {
  description = "The SHA-256 of CI's token."
  type        = string
}

variable "scraper_sha256" {
  description = "The SHA-256 of the scraper's token."
  type        = string
}

variable "alert_emails" {
  description = "Addresses that alerts go to."
  type        = list(string)
}
