resource "google_storage_bucket" "profiles" {
  #checkov:skip=CKV_GCP_62:The services log every upload, merge, download and deletion; access logs would be a second bucket that nobody reads.
  #checkov:skip=CKV_GCP_78:Soft deletion keeps what is deleted or written over; versioning besides is a variable, and paid for twice.
  project                     = var.project
  name                        = local.bucket
  location                    = var.region
  storage_class               = "STANDARD"
  labels                      = local.labels
  force_destroy               = var.force_destroy
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  versioning {
    enabled = var.versioning
  }

  # Nothing else may expire. What is in `staging/` waits for the worker however long that is away, and the sweep ages out
  # `incoming/` and `rejected/`, which a rule could not find: keys begin with the application.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.noncurrent_days
      with_state                 = "ARCHIVED"
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.used]
}

# What the server and the worker do with objects: read, write (over one it takes the right to delete), delete and list.
resource "google_project_iam_custom_role" "profiles" {
  count = var.custom_roles ? 1 : 0

  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_profiles"
  title       = "autopgo: profiles"
  description = "Reads, writes, lists and deletes objects, and nothing else."
  permissions = [
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
  ]

  depends_on = [google_project_service.used]
}

resource "google_storage_bucket_iam_member" "profiles" {
  for_each = {
    server = google_service_account.server.member
    worker = google_service_account.worker.member
  }

  bucket = google_storage_bucket.profiles.name
  role   = var.custom_roles ? google_project_iam_custom_role.profiles[0].id : "roles/storage.objectUser"
  member = each.value
}

# To sign URLs for what is too large for a request the server needs this right on itself, and on nobody else.
resource "google_service_account_iam_member" "signs" {
  service_account_id = google_service_account.server.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.server.member
}
