output "api_url" {
  description = "The base URL for --api-url and AUTOPGO_API_URL."
  value       = module.autopgo.api_url
}

output "bucket" {
  description = "The bucket with all profiles."
  value       = module.autopgo.bucket
}

output "dead_letter_queue_url" {
  description = "The queue of the messages that failed too often."
  value       = module.autopgo.dead_letter_queue_url
}
