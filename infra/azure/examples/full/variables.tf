variable "location" {
  description = "The region."
  type        = string
  default     = "westeurope"
}

variable "unique" {
  description = "3 to 8 letters and digits that make names of your own."
  type        = string
}

variable "vault_id" {
  description = "The resource id of the Key Vault that has the list of tokens."
  type        = string
}

variable "alert_emails" {
  description = "Addresses that alerts go to."
  type        = list(string)
}
