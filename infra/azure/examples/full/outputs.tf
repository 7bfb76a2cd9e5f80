output "api_url" {
  description = "The URL of the API."
  value       = module.autopgo.api_url
}

output "function_app" {
  description = "What to deploy the zip to."
  value       = module.autopgo.function_app
}
