# The APIs that are used. `iamcredentials` signs URLs for what is too large for a request.
resource "google_project_service" "used" {
  for_each = var.enable_apis ? toset([
    "cloudscheduler.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ]) : toset([])

  project = var.project
  service = each.value
  # Somebody else may use it by then.
  disable_on_destroy = false
}

data "google_project" "this" {
  project_id = var.project
}
