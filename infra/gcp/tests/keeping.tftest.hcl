# What goes and what stays.

mock_provider "google" {}

variables {
  project = "acme-build"
  region  = "europe-west1"
  image   = "europe-west1-docker.pkg.dev/acme-build/autopgo/cloudrun:1.0.0"
  access  = "iam"
}

run "nothing_that_is_current_expires" {
  command = plan

  assert {
    condition = alltrue([for rule in google_storage_bucket.profiles.lifecycle_rule :
    one(rule.action).type == "AbortIncompleteMultipartUpload" || (one(rule.action).type == "Delete" && one(rule.condition).with_state == "ARCHIVED")])
    error_message = "a rule could take what waits in staging/"
  }
  assert {
    condition     = google_storage_bucket.profiles.public_access_prevention == "enforced" && google_storage_bucket.profiles.uniform_bucket_level_access && !google_storage_bucket.profiles.force_destroy
    error_message = "the bucket is not kept shut"
  }
}

run "messages_have_all_the_time_there_is" {
  command = plan

  assert {
    condition     = google_pubsub_subscription.worker.ack_deadline_seconds == 600 && google_cloud_run_v2_service.worker.template[0].timeout == "600s"
    error_message = "a merge is cut off before its message's deadline"
  }
  assert {
    condition     = google_pubsub_subscription.worker.dead_letter_policy[0].max_delivery_attempts == 10 && google_pubsub_subscription.dead.expiration_policy[0].ttl == ""
    error_message = "dead letters are not kept"
  }
}

run "a_schedule_waits_as_long_as_the_worker_is_told" {
  command = plan

  variables {
    sweep_deadline = 240
  }

  assert {
    condition     = google_cloud_scheduler_job.sweep.attempt_deadline == one([for one in google_cloud_run_v2_service.worker.template[0].containers[0].env : one.value if one.name == "AUTOPGO_FUNCTION_TIMEOUT"])
    error_message = "the worker thinks that the schedule waits longer than it does"
  }
}

run "prune_rules_come_as_a_file" {
  command = plan

  variables {
    prune_rules = "[]"
  }

  assert {
    condition     = one([for one in google_cloud_run_v2_service.worker.template[0].containers[0].env : one.value if one.name == "AUTOPGO_PRUNE"]) == "${google_cloud_run_v2_service.worker.template[0].containers[0].volume_mounts[0].mount_path}/${google_cloud_run_v2_service.worker.template[0].volumes[0].secret[0].items[0].path}"
    error_message = "the rules are not where the worker looks for them"
  }
}

run "a_limit_that_is_none" {
  command = plan

  variables {
    limits = { AUTOPGO_MAX_BODY_BYTE = "1" }
  }

  expect_failures = [var.limits]
}
