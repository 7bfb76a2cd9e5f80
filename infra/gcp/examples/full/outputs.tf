output "api_url" {
  description = "The URL of the API."
  value       = module.autopgo.api_url
}

output "bucket" {
  description = "The bucket of profiles."
  value       = module.autopgo.bucket
}
