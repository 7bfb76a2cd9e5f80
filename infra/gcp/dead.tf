# What could not be handed over. The subscription keeps it: without one it would be gone.
resource "google_pubsub_topic" "dead" {
  #checkov:skip=CKV_GCP_83:As for the topic of events.
  project      = var.project
  name         = "${var.name}-dead"
  labels       = local.labels
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.used]
}

resource "google_pubsub_subscription" "dead" {
  project                    = var.project
  name                       = "${var.name}-dead"
  topic                      = google_pubsub_topic.dead.id
  labels                     = local.labels
  ack_deadline_seconds       = 60
  message_retention_duration = "${var.message_retention}s"

  expiration_policy {
    ttl = ""
  }
}

locals {
  # Pub/Sub itself, in this project.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic_iam_member" "buries" {
  project = var.project
  topic   = google_pubsub_topic.dead.name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "buries" {
  project      = var.project
  subscription = google_pubsub_subscription.worker.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

# The token of a push is the push account's, made by Pub/Sub: identity tokens alone, and of this account alone.
resource "google_service_account_iam_member" "mints" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.pubsub_agent

  # Google makes the agent with the first topic.
  depends_on = [google_pubsub_topic.dead]
}
