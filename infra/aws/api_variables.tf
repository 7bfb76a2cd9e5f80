# Who may use the API, and how much.

variable "authorizer" {
  description = "Who checks callers: `tokens` (the server itself, by its list of tokens), `jwt` (the gateway, by tokens of an OpenID Connect provider) or `iam` (the gateway, by signatures of AWS; `autopgo --auth sigv4`). With the last two the gateway decides alone, and who is let in may do everything."
  type        = string
  default     = "tokens"

  validation {
    condition     = contains(["tokens", "jwt", "iam"], var.authorizer)
    error_message = "The authorizer is tokens, jwt or iam."
  }
}

variable "tokens" {
  description = "The entries that `autopgo token` prints: each token's name, its SHA-256 (never the token itself), its scopes, and the applications it is for (all, if left out). Lambda's environment has room for some twenty."
  type = list(object({
    name   = string
    sha256 = string
    scopes = list(string)
    apps   = optional(list(string))
  }))
  default   = []
  sensitive = true

  validation {
    condition     = (length(var.tokens) > 0) == (var.authorizer == "tokens")
    error_message = "With the authorizer tokens there must be a list, or the API would be open to everybody; with another there can be none, for both would want the one Authorization header."
  }

  validation {
    condition     = alltrue([for token in var.tokens : can(regex("^[0-9a-f]{64}$", token.sha256))])
    error_message = "A sha256 has 64 hexadecimal digits; the token itself must not stand here."
  }

  validation {
    condition     = alltrue(flatten([for token in var.tokens : [for scope in token.scopes : contains(["upload", "download", "delete"], scope)]]))
    error_message = "A scope is upload, download or delete."
  }
}

variable "jwt" {
  description = "For the authorizer jwt: the issuer, whom tokens must be for, and the scopes of which one is wanted (none, if left out)."
  type = object({
    issuer   = string
    audience = list(string)
    scopes   = optional(list(string))
  })
  default = null

  validation {
    condition     = (var.jwt != null) == (var.authorizer == "jwt")
    error_message = "Set jwt with the authorizer jwt, and only then."
  }

  validation {
    condition     = var.jwt == null ? true : startswith(var.jwt.issuer, "https://") && length(var.jwt.audience) > 0
    error_message = "The issuer is an https:// URL, and there is at least one audience."
  }
}

variable "throttle" {
  description = "How many requests a second the API takes, and how many at once after a pause; more are answered with 429."
  type = object({
    rate  = number
    burst = number
  })
  default = { rate = 100, burst = 200 }

  validation {
    condition     = var.throttle.rate > 0 && var.throttle.burst > 0
    error_message = "A throttle of 0 would let nobody in."
  }
}
