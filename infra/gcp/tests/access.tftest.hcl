# Who may, in each of the ways that there are. Nothing is asked of Google Cloud.

mock_provider "google" {}

variables {
  project = "acme-build"
  region  = "europe-west1"
  image   = "europe-west1-docker.pkg.dev/acme-build/autopgo/cloudrun:1.0.0"
}

run "without_tokens_nothing_is_open" {
  command         = plan
  expect_failures = [google_cloud_run_v2_service.server]
}

run "tokens" {
  command = plan

  variables {
    tokens = [
      { name = "ci", sha256 = "bdfa0d5a7e1f4a0b8a5d6ac6ec8f40d5a3f5e0c0a7b9d8c7e6f5a4b3c2d1e0f9", scopes = ["download"], apps = ["checkout"] },
      { name = "scraper", sha256 = "07c30d5a7e1f4a0b8a5d6ac6ec8f40d5a3f5e0c0a7b9d8c7e6f5a4b3c2d1e0f9", scopes = ["upload"] },
    ]
  }

  assert {
    condition     = google_cloud_run_v2_service.server.invoker_iam_disabled && !contains(keys(google_cloud_run_v2_service_iam_member.invokes), "allUsers")
    error_message = "the server is not open for tokens"
  }
  assert {
    condition     = google_cloud_run_v2_service.worker.invoker_iam_disabled != true && google_cloud_run_v2_service.worker.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "the worker is open"
  }
  assert {
    condition     = [for entry in jsondecode(google_secret_manager_secret_version.text["tokens"].secret_data) : keys(entry)] == [["apps", "name", "scopes", "sha256"], ["name", "scopes", "sha256"]]
    error_message = "an entry is not as the server reads it: apps is there, or is left out"
  }
  assert {
    condition     = [for one in google_cloud_run_v2_service.server.template[0].containers[0].env : one.name if one.value == null] == ["AUTOPGO_TOKENS"]
    error_message = "AUTOPGO_TOKENS does not come from the secret"
  }
  assert {
    condition     = length([for one in google_cloud_run_v2_service.worker.template[0].containers[0].env : one if startswith(one.name, "AUTOPGO_PUSH") || one.name == "AUTOPGO_TOKENS"]) == 0
    error_message = "the worker has what only a server needs, or checks tokens that have lost their signatures"
  }
}

run "a_list_of_somebody_elses" {
  command = plan

  variables {
    tokens_secret = { secret = "their-tokens", version = "3" }
  }

  assert {
    condition     = length(google_secret_manager_secret.text) == 0 && google_secret_manager_secret_iam_member.tokens[0].secret_id == "their-tokens"
    error_message = "the secret is made here, or cannot be read"
  }
}

run "iam" {
  command = plan

  variables {
    access   = "iam"
    invokers = ["group:build@acme.example"]
  }

  assert {
    condition     = google_cloud_run_v2_service.server.invoker_iam_disabled == false && google_cloud_run_v2_service_iam_member.invokes["group:build@acme.example"].role == "roles/run.invoker"
    error_message = "the server is not IAM's alone"
  }
  assert {
    condition     = length([for one in google_cloud_run_v2_service.server.template[0].containers[0].env : one if one.name == "AUTOPGO_TOKENS"]) == 0
    error_message = "there are tokens behind IAM"
  }
}

run "iam_and_tokens_exclude_one_another" {
  command = plan

  variables {
    access = "iam"
    tokens = [{ name = "ci", sha256 = "bdfa0d5a7e1f4a0b8a5d6ac6ec8f40d5a3f5e0c0a7b9d8c7e6f5a4b3c2d1e0f9", scopes = ["download"] }]
  }

  expect_failures = [google_cloud_run_v2_service.server]
}

run "nobody_is_everybody" {
  command = plan

  variables {
    access   = "iam"
    invokers = ["allUsers"]
  }

  expect_failures = [var.invokers]
}

run "a_token_is_no_hash" {
  command = plan

  variables {
    tokens = [{ name = "ci", sha256 = "autopgo_0123456789", scopes = ["download"] }]
  }

  expect_failures = [var.tokens]
}
