# As a company might have it: a token for each that calls, a key of its own, compaction, alerts by e-mail, logs for a year.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}

module "autopgo" {
  source = "../.."

  project = var.project
  region  = var.region
  name    = "autopgo-build"
  bucket  = "${var.project}-profiles"
  labels  = { team = "build", stage = "production" }

  image       = var.image
  server      = { min_instances = 1, max_instances = 20 }
  worker      = { cpu = "2", memory = "4Gi" }
  compact     = true
  prune_rules = file("${path.module}/prune.json")
  limits      = { AUTOPGO_MAX_BODY_BYTES = "16777216" }

  tokens = [
    { name = "ci", sha256 = var.ci_sha256, scopes = ["download"], apps = ["checkout", "team-a-*"] },
    { name = "scraper", sha256 = var.scraper_sha256, scopes = ["upload"] },
  ]

  kms_key            = google_kms_crypto_key.profiles.id
  soft_delete_days   = 14
  message_retention  = 1209600
  log_retention_days = 365
  alert_emails       = var.alert_emails

  depends_on = [google_kms_crypto_key_iam_member.agents]
}
