output "api_url" {
  description = "The URL of the API: AUTOPGO_API_URL of the command, the scraper and CI."
  value       = google_cloud_run_v2_service.server.uri
}

output "worker_url" {
  description = "The URL that Pub/Sub and the schedule call. Nobody else can."
  value       = google_cloud_run_v2_service.worker.uri
}

output "bucket" {
  description = "The bucket of profiles."
  value       = google_storage_bucket.profiles.name
}

output "topic" {
  description = "The topic of events, as AUTOPGO_EVENT_WRITER_URL has it."
  value       = google_pubsub_topic.events.id
}

output "dead_letters" {
  description = "The subscription that keeps dead letters."
  value       = google_pubsub_subscription.dead.id
}

output "service_accounts" {
  description = "As whom the server and the worker run, and as whom the worker is called."
  value = {
    server = google_service_account.server.email
    worker = google_service_account.worker.email
    push   = google_service_account.push.email
  }
}
