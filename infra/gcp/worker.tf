# What merges. Pub/Sub and the schedule call it, with tokens that Cloud Run's IAM checks; AUTOPGO_PUSH_AUDIENCE and
# AUTOPGO_PUSH_EMAIL stay unset, for Cloud Run hands the tokens on without their signatures.
resource "google_cloud_run_v2_service" "worker" {
  project             = var.project
  name                = "${var.name}-worker"
  location            = var.region
  labels              = local.labels
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = false

  template {
    service_account       = google_service_account.worker.email
    execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
    # Not less than the ack deadline of the subscription.
    timeout                          = "600s"
    max_instance_request_concurrency = var.worker.concurrency
    labels                           = local.labels

    scaling {
      min_instance_count = var.worker.min_instances
      max_instance_count = var.worker.max_instances
    }

    containers {
      image = var.image
      args  = ["worker"]

      resources {
        limits            = { cpu = var.worker.cpu, memory = var.worker.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.environment, {
          AUTOPGO_COMPACT          = tostring(var.compact)
          AUTOPGO_SWEEP_AFTER      = var.sweep_after
          AUTOPGO_FUNCTION_TIMEOUT = "${var.sweep_deadline}s"
        }, var.prune_rules == null ? {} : { AUTOPGO_PRUNE = "${local.prune_folder}/prune.json" })
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "volume_mounts" {
        for_each = var.prune_rules == null ? [] : [local.prune_folder]
        content {
          name       = "prune"
          mount_path = volume_mounts.value
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

    dynamic "volumes" {
      for_each = var.prune_rules == null ? [] : [google_secret_manager_secret_version.text["prune"]]
      content {
        name = "prune"
        secret {
          secret = google_secret_manager_secret.text["prune"].secret_id
          items {
            path    = "prune.json"
            version = volumes.value.version
          }
        }
      }
    }
  }

  # It looks at the bucket and the topic when it starts, and ends if it may not.
  depends_on = [
    google_pubsub_topic_iam_member.publishes,
    google_secret_manager_secret_iam_member.prune,
    google_storage_bucket_iam_member.profiles,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.worker.name
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}
