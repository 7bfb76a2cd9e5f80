# What the other files share: names, URLs and tags.

locals {
  # The names of FIFO topics and queues end so, and the functions tell by it.
  suffix = var.fifo ? ".fifo" : ""

  server_name = "${var.name}-server"
  worker_name = "${var.name}-worker"

  tags = merge({ application = "autopgo", deployment = var.name }, var.tags)

  # Both functions open the same bucket and publish to the same topic. Region and credentials are the platform's.
  shared_environment = {
    AUTOPGO_BLOB_STORE_URL   = "s3://${aws_s3_bucket.profiles.bucket}"
    AUTOPGO_EVENT_WRITER_URL = "awssns:///${aws_sns_topic.events.arn}"
    AUTOPGO_LOG_LEVEL        = var.log_level
  }
}
