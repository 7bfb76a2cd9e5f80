# Events: what was uploaded, merged and deleted.
resource "google_pubsub_topic" "events" {
  #checkov:skip=CKV_GCP_83:kms_key encrypts it with a key of one's own; messages have names of applications in them, and no profiles.
  project      = var.project
  name         = var.name
  labels       = local.labels
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.used]
}

resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = {
    server = google_service_account.server.member
    worker = google_service_account.worker.member
  }

  project = var.project
  topic   = google_pubsub_topic.events.name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

# The worker is called with each.
resource "google_pubsub_subscription" "worker" {
  project = var.project
  name    = "${var.name}-worker"
  topic   = google_pubsub_topic.events.id
  labels  = local.labels

  # The time-out of a push as well, and the most that there is: a merge has to end within it.
  ack_deadline_seconds       = 600
  message_retention_duration = "${var.message_retention}s"
  enable_message_ordering    = var.message_ordering

  # It never goes for want of use.
  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = "${google_cloud_run_v2_service.worker.uri}/"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloud_run_v2_service.worker.uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead.id
    max_delivery_attempts = var.delivery_attempts
  }

  # Without these a push is refused, and a dead letter is none.
  depends_on = [
    google_cloud_run_v2_service_iam_member.push,
    google_pubsub_subscription.dead,
    google_pubsub_topic_iam_member.buries,
    google_service_account_iam_member.mints,
  ]
}
