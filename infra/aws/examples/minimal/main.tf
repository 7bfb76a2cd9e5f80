# The least that makes a service: two zips and a token.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
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

module "autopgo" {
  source = "../.."

  server_zip   = "${var.zips}/autopgo-lambda-server/bootstrap.zip"
  worker_zip   = "${var.zips}/autopgo-lambda-worker/bootstrap.zip"
  architecture = var.architecture
  tokens       = var.tokens
}

output "api_url" {
  description = "The base URL for --api-url and AUTOPGO_API_URL."
  value       = module.autopgo.api_url
}
