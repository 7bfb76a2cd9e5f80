# A key of one's own, and the three services of Google's that use it.

resource "google_kms_key_ring" "autopgo" {
  project  = var.project
  location = var.region
  name     = "autopgo"
}

resource "google_kms_crypto_key" "profiles" {
  name            = "profiles"
  key_ring        = google_kms_key_ring.autopgo.id
  rotation_period = "7776000s"

  lifecycle {
    # What it has encrypted could be read by nobody any more.
    prevent_destroy = true
  }
}

data "google_project" "this" {
  project_id = var.project
}

resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = toset([
    "gs-project-accounts",
    "gcp-sa-pubsub",
    "gcp-sa-secretmanager",
  ])

  crypto_key_id = google_kms_crypto_key.profiles.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.this.number}@${each.value}.iam.gserviceaccount.com"
}
