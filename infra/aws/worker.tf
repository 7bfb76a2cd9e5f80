# The function that merges, fed by the queue; schedule.tf has it sweep.

resource "aws_lambda_function" "worker" {
  #checkov:skip=CKV_AWS_50:The function makes no traces; its log has a line for each message, and metrics.
  #checkov:skip=CKV_AWS_116:Messages have the queue's dead-letter queue, and a sweep that fails is followed by the next.
  #checkov:skip=CKV_AWS_117:It reaches nothing but services of AWS, by TLS and with its own identity; a network of yours would have nothing in it.
  #checkov:skip=CKV_AWS_173:The environment has no secret; it is encrypted by Lambda's own key, or by yours where one is given.
  #checkov:skip=CKV_AWS_272:The zip is what you built and whose hash Terraform keeps.
  function_name    = local.worker_name
  description      = "Merges the uploads of autopgo"
  role             = aws_iam_role.worker.arn
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  handler          = "bootstrap"
  filename         = var.worker_zip
  source_code_hash = filebase64sha256(var.worker_zip)

  memory_size                    = var.worker.memory
  timeout                        = var.worker.timeout
  reserved_concurrent_executions = var.worker.concurrency
  kms_key_arn                    = var.kms_key_arn
  tags                           = local.tags

  environment {
    variables = merge(local.shared_environment, var.worker_environment)
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.worker.name
  }

  # Its first start must be permitted to log.
  depends_on = [aws_iam_role_policy.worker]
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn                   = aws_sqs_queue.events.arn
  function_name                      = aws_lambda_function.worker.arn
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batch_window_seconds
  tags                               = local.tags

  # Without this the worker's answer is not read, and messages that it could not handle are deleted.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.worker.queue_concurrency
  }

  depends_on = [aws_iam_role_policy.worker]
}

resource "aws_cloudwatch_log_group" "worker" {
  #checkov:skip=CKV_AWS_338:How long is enough is for the operator to say, by a variable; profiles are no audit trail.
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch's own key, or by yours where one is given.
  name              = "/aws/lambda/${local.worker_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}
