# Who may.

variable "access" {
  description = "Who decides who may use the API. \"tokens\": the server, by autopgo's own tokens, for whoever reaches it. \"iam\": Cloud Run, by Google's identities; then there are no tokens."
  type        = string
  default     = "tokens"

  validation {
    condition     = contains(["tokens", "iam"], var.access)
    error_message = "access is tokens or iam."
  }
}

variable "tokens" {
  description = "The entries that `autopgo token` makes, with access = \"tokens\": names, hashes and rights. There is no token in it, and none can be found by it."
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
}

variable "tokens_secret" {
  description = "Instead of tokens: a secret of Secret Manager that somebody else keeps, in this project, whose text is the list. With a number as version, a new list comes with a new number here."
  type = object({
    secret  = string
    version = optional(string, "latest")
  })
  default = null
}

variable "invokers" {
  description = "Who may call the server with access = \"iam\", such as [\"serviceAccount:ci@acme.iam.gserviceaccount.com\", \"group:build@acme.example\"]. All of them may do everything."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.invokers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):", member))])
    error_message = "invokers are named accounts, groups or domains; allUsers and allAuthenticatedUsers would be everybody."
  }
}

variable "custom_roles" {
  description = "Whether the accounts get a role with just the four rights on objects that are used, which whoever applies this has to be allowed to make. Otherwise it is roles/storage.objectUser."
  type        = bool
  default     = true
}
