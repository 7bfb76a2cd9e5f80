# What somebody should look at. The README says what to do about each.

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  project      = var.project
  display_name = "autopgo: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [google_project_service.used]
}

locals {
  channels = concat([for channel in google_monitoring_notification_channel.email : channel.id], var.notification_channels)

  of_subscription = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.worker.name}\""
  of_server       = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${google_cloud_run_v2_service.server.name}\""
  of_worker       = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${google_cloud_run_v2_service.worker.name}\""
  requests        = "metric.type = \"run.googleapis.com/request_count\""

  # Where a metric is above what it may be.
  thresholds = {
    dead_letters = {
      title   = "dead letters"
      says    = "Messages could not be handed to the worker. What they told of is in the bucket still, and the sweep merges it; something kept the worker from it. See its log, then acknowledge what the subscription ${google_pubsub_subscription.dead.name} has."
      filter  = "${local.of_subscription} AND metric.type = \"pubsub.googleapis.com/subscription/dead_letter_message_count\""
      above   = 0
      lasts   = "0s"
      aligner = "ALIGN_SUM"
      reducer = "REDUCE_SUM"
    }
    oldest_message = {
      title   = "messages wait"
      says    = "The oldest message has waited for a quarter of an hour. The worker is down, or too small: see its log, and the variable worker."
      filter  = "${local.of_subscription} AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      above   = 900
      lasts   = "300s"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_MAX"
    }
    server_errors = {
      title   = "the server fails"
      says    = "The server has answered with 5xx, more than five times in five minutes. Its log has the cause, once for each."
      filter  = "${local.of_server} AND ${local.requests} AND metric.labels.response_code_class = \"5xx\""
      above   = 5
      lasts   = "0s"
      aligner = "ALIGN_SUM"
      reducer = "REDUCE_SUM"
    }
  }

  # Where the log has what it should not have.
  lines = {
    sweep = {
      title  = "uploads cannot be swept"
      says   = "Staged uploads stay where they are: the log of the worker says why."
      filter = "${local.of_worker} AND severity >= ERROR AND jsonPayload.message =~ \"could not be swept$\""
    }
    oldest = {
      title  = "uploads wait"
      says   = "The oldest staged upload had waited for more than an hour when it was swept. Either it cannot be merged, of which the log of the worker has the cause, or there is more than a sweep gets through."
      filter = "${local.of_worker} AND jsonPayload.message = \"swept\" AND jsonPayload.oldest_seconds > 3600"
    }
    schedule = {
      title  = "the schedule fails"
      says   = "Cloud Scheduler cannot have the worker sweep: its log has the status that it was answered with."
      filter = "resource.type = \"cloud_scheduler_job\" AND resource.labels.job_id = \"${google_cloud_scheduler_job.sweep.name}\" AND severity >= ERROR"
    }
  }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each = local.thresholds

  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = each.value.lasts

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
      }
    }
  }

  documentation {
    content = each.value.says
  }

  depends_on = [google_project_service.used]
}

resource "google_monitoring_alert_policy" "line" {
  for_each = local.lines

  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title

    condition_matched_log {
      filter = each.value.filter
    }
  }

  # A line a minute is one trouble.
  alert_strategy {
    notification_rate_limit {
      period = "3600s"
    }
    auto_close = "3600s"
  }

  documentation {
    content = each.value.says
  }

  depends_on = [google_project_service.used]
}

# If nobody sweeps, nobody says that uploads wait. The schedule calls every minute, whatever there is to do.
resource "google_monitoring_alert_policy" "absent" {
  project               = var.project
  display_name          = "${var.name}: nobody sweeps"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "nobody sweeps"

    condition_absent {
      filter   = "${local.of_worker} AND ${local.requests} AND metric.labels.response_code_class = \"2xx\""
      duration = "900s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "The worker has not answered well for a quarter of an hour, although it is called every minute: uploads may wait. See its log, and the schedule ${google_cloud_scheduler_job.sweep.name}."
  }

  depends_on = [google_project_service.used]
}
