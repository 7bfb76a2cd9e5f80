# The services' logs for as long as one likes. Without log_retention_days they are in the project's _Default alone.
resource "google_logging_project_bucket_config" "services" {
  count = var.log_retention_days == null ? 0 : 1

  project        = var.project
  location       = var.region
  bucket_id      = var.name
  retention_days = var.log_retention_days
  description    = "Logs of autopgo"

  depends_on = [google_project_service.used]
}

resource "google_logging_project_sink" "services" {
  count = var.log_retention_days == null ? 0 : 1

  project                = var.project
  name                   = var.name
  description            = "The logs of autopgo's services and of its schedule."
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.services[0].id}"
  unique_writer_identity = true
  filter                 = <<-EOT
    (resource.type="cloud_run_revision" AND resource.labels.service_name=("${google_cloud_run_v2_service.server.name}" OR "${google_cloud_run_v2_service.worker.name}"))
    OR (resource.type="cloud_scheduler_job" AND resource.labels.job_id="${google_cloud_scheduler_job.sweep.name}")
  EOT
}
