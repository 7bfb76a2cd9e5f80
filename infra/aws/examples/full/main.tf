# A service as an organisation runs it: encrypted by a key of its own, with versions, somebody who is told of alarms, and
# the worker set up for large applications.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

module "autopgo" {
  source = "../.."

  name         = var.name
  server_zip   = "${var.zips}/autopgo-lambda-server/bootstrap.zip"
  worker_zip   = "${var.zips}/autopgo-lambda-worker/bootstrap.zip"
  architecture = var.architecture

  tokens   = var.tokens
  throttle = { rate = 50, burst = 100 }

  server = { memory = 512, concurrency = 40 }
  worker = { memory = 3538, timeout = 300, concurrency = 12, queue_concurrency = 10 }

  server_environment = merge({ AUTOPGO_MAX_BODY_BYTES = "6291456" }, var.server_environment)
  worker_environment = merge({ AUTOPGO_COMPACT = "true" }, var.worker_environment)

  kms_key_arn        = aws_kms_key.autopgo.arn
  versioning         = { enabled = true, days = 7 }
  force_destroy      = var.force_destroy
  log_retention_days = 90
  alarm_actions      = [aws_sns_topic.alarms.arn]

  tags = { owner = "platform", cost-centre = "profiling" }

  # What is encrypted by the key cannot be made before its policy lets the services use it.
  depends_on = [aws_kms_key_policy.autopgo]
}
