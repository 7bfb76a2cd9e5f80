# The list of tokens, and the prune rules: texts that a service without files gets from Secret Manager. No token is in them.

locals {
  secrets = merge(
    # An entry without apps is for all of them, and one with null would be a mistake.
    local.tokens_made ? { tokens = jsonencode([for token in var.tokens : { for key, value in token : key => value if value != null }]) } : {},
    var.prune_rules == null ? {} : { prune = var.prune_rules },
  )
}

resource "google_secret_manager_secret" "text" {
  for_each = local.secrets

  project   = var.project
  secret_id = "${var.name}-${each.key}"
  labels    = local.labels

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }

  depends_on = [google_project_service.used]
}

resource "google_secret_manager_secret_version" "text" {
  for_each = local.secrets

  secret      = google_secret_manager_secret.text[each.key].id
  secret_data = each.value
}

# Whoever made the list.
resource "google_secret_manager_secret_iam_member" "tokens" {
  count = local.with_tokens ? 1 : 0

  project   = var.project
  secret_id = local.tokens_secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.server.member
}

resource "google_secret_manager_secret_iam_member" "prune" {
  count = var.prune_rules == null ? 0 : 1

  project   = var.project
  secret_id = google_secret_manager_secret.text["prune"].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.worker.member
}
