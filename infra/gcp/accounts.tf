# An account for each that acts: none has a key.

resource "google_service_account" "server" {
  project      = var.project
  account_id   = "${var.name}-server"
  display_name = "autopgo: the server"

  depends_on = [google_project_service.used]
}

resource "google_service_account" "worker" {
  project      = var.project
  account_id   = "${var.name}-worker"
  display_name = "autopgo: the worker"

  depends_on = [google_project_service.used]
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${var.name}-push"
  display_name = "autopgo: as whom messages and the schedule call the worker"

  depends_on = [google_project_service.used]
}
