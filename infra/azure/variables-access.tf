# Who may.

variable "tokens" {
  description = "The entries that `autopgo token` makes: names, hashes and rights. There is no token in it, and none can be found by it."
  type = list(object({
    name   = string
    sha256 = string
    scopes = list(string)
    apps   = optional(list(string))
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for token in var.tokens : can(regex("^[0-9a-f]{64}$", token.sha256))])
    error_message = "The sha256 of a token is 64 hex digits in lower case; `autopgo token` makes an entry with the right ones."
  }
  validation {
    condition     = length(distinct(var.tokens[*].name)) == length(var.tokens) && alltrue([for token in var.tokens : can(regex("^[A-Za-z0-9.-]{1,60}$", token.name))])
    error_message = "Each token has a name of its own, of at most 60 letters, digits, dots and hyphens."
  }
  validation {
    condition     = alltrue(flatten([for token in var.tokens : [for scope in token.scopes : contains(["upload", "download", "delete"], scope)]]))
    error_message = "The scopes of a token are upload, download and delete."
  }
  validation {
    condition     = alltrue([for token in var.tokens : token.apps == null ? true : length(token.apps) > 0 && alltrue([for app in token.apps : can(regex("^[a-z0-9*-]+$", app))])])
    error_message = "apps are names of applications, or patterns with *; leave it out for all."
  }
  validation {
    condition     = (length(var.tokens) > 0) != (var.tokens_secret != null)
    error_message = "Set tokens or tokens_secret, one of them: without, whoever finds the app could upload, download and delete."
  }
}

variable "tokens_secret" {
  description = "Instead of tokens: a secret of a Key Vault that somebody else keeps, with Azure's roles for access, whose text is the list. A version can be left out; then a new one is read within a day, or at a restart."
  type = object({
    vault_id = string
    name     = string
    version  = optional(string)
  })
  default = null

  validation {
    condition     = var.tokens_secret == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.KeyVault/vaults/[^/]+$", var.tokens_secret.vault_id)) && can(regex("^[A-Za-z0-9-]{1,127}$", var.tokens_secret.name))
    error_message = "tokens_secret.vault_id is the resource id of a Key Vault, and its name that of a secret there."
  }
}
