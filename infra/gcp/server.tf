# The API. It is open to the internet: with tokens, whoever comes without one is answered 401 by the server; with IAM, 403 by
# Cloud Run before that.
resource "google_cloud_run_v2_service" "server" {
  project              = var.project
  name                 = "${var.name}-server"
  location             = var.region
  labels               = local.labels
  ingress              = "INGRESS_TRAFFIC_ALL"
  invoker_iam_disabled = local.with_tokens
  # It keeps nothing: the profiles are in the bucket.
  deletion_protection = false

  template {
    service_account                  = google_service_account.server.email
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    timeout                          = "300s"
    max_instance_request_concurrency = var.server.concurrency
    labels                           = local.labels

    scaling {
      min_instance_count = var.server.min_instances
      max_instance_count = var.server.max_instances
    }

    containers {
      image = var.image
      args  = ["server"]

      resources {
        limits            = { cpu = var.server.cpu, memory = var.server.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.with_tokens ? [local.tokens_secret] : []
        content {
          name = "AUTOPGO_TOKENS"
          value_source {
            secret_key_ref {
              secret  = env.value
              version = local.tokens_version
            }
          }
        }
      }

      ports {
        container_port = 8080
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30
        http_get {
          path = "/api/ready"
        }
      }

      liveness_probe {
        period_seconds = 30
        http_get {
          path = "/api/ready"
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = !local.with_tokens || length(var.tokens) > 0 || var.tokens_secret != null
      error_message = "Without tokens whoever finds the server could upload, download and delete: set tokens or tokens_secret, or access = \"iam\"."
    }
    precondition {
      condition     = length(var.tokens) == 0 || var.tokens_secret == null
      error_message = "Set tokens or tokens_secret, not both."
    }
    precondition {
      condition     = local.with_tokens ? length(var.invokers) == 0 : length(var.tokens) == 0 && var.tokens_secret == null
      error_message = "Tokens and IAM exclude one another, for both come in the header Authorization: invokers belong to access = \"iam\", tokens to access = \"tokens\"."
    }
  }

  # It looks at the bucket and the topic when it starts, and ends if it may not.
  depends_on = [
    google_pubsub_topic_iam_member.publishes,
    google_secret_manager_secret_iam_member.tokens,
    google_storage_bucket_iam_member.profiles,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "invokes" {
  for_each = var.access == "iam" ? toset(var.invokers) : toset([])

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.server.name
  role     = "roles/run.invoker"
  member   = each.value
}
