locals {
  labels = merge({ app = "autopgo" }, var.labels)
  bucket = coalesce(var.bucket, "${var.project}-${var.name}")

  # Which list of tokens the server has: one made here, one of somebody else, or none.
  with_tokens   = var.access == "tokens"
  tokens_made   = local.with_tokens && length(var.tokens) > 0
  tokens_secret = local.tokens_made ? google_secret_manager_secret.text["tokens"].secret_id : try(var.tokens_secret.secret, null)
  # By number, so that a new list is a new revision: the services read it when they start.
  tokens_version = local.tokens_made ? google_secret_manager_secret_version.text["tokens"].version : try(var.tokens_secret.version, null)

  # What both services are told.
  environment = merge(var.limits, {
    AUTOPGO_BLOB_STORE_URL   = "gs://${google_storage_bucket.profiles.name}"
    AUTOPGO_EVENT_WRITER_URL = "gcppubsub://${google_pubsub_topic.events.id}"
    AUTOPGO_LOG_LEVEL        = var.log_level
  })

  prune_folder = "/etc/autopgo"
}
