# What somebody should be told of. Each alarm says what it means and what to do, for who is woken by it reads that first.

locals {
  # What is counted of a function, a queue and the API by AWS itself.
  alarms = {
    dead-letters = {
      description = "Messages are in the dead-letter queue: they failed ${var.max_receive_count} times. Uploads are not lost, the sweep merges them; the worker's log says why, then redrive or purge the queue."
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
      dimensions  = { QueueName = aws_sqs_queue.dead.name }
      threshold   = 0, periods = 1
    }
    oldest-message = {
      description = "Messages wait in the queue for longer than they should: the worker fails, or cannot keep up. See its errors, throttles and log."
      namespace   = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum"
      dimensions  = { QueueName = aws_sqs_queue.events.name }
      threshold   = var.oldest_message_alarm_seconds, periods = 3
    }
    server-errors = {
      description = "The server function ends with errors or runs out of time. Its log says why."
      namespace   = "AWS/Lambda", metric = "Errors", statistic = "Sum"
      dimensions  = { FunctionName = local.server_name }
      threshold   = 0, periods = 3
    }
    worker-errors = {
      description = "The worker function ends with errors or runs out of time. Its log says why; uploads wait meanwhile."
      namespace   = "AWS/Lambda", metric = "Errors", statistic = "Sum"
      dimensions  = { FunctionName = local.worker_name }
      threshold   = 0, periods = 3
    }
    server-throttles = {
      description = "The server function is called more often at once than it may run: raise server.concurrency, or find who calls."
      namespace   = "AWS/Lambda", metric = "Throttles", statistic = "Sum"
      dimensions  = { FunctionName = local.server_name }
      threshold   = 0, periods = 3
    }
    worker-throttles = {
      description = "The worker function is called more often at once than it may run: raise worker.concurrency."
      namespace   = "AWS/Lambda", metric = "Throttles", statistic = "Sum"
      dimensions  = { FunctionName = local.worker_name }
      threshold   = 0, periods = 3
    }
    api-failures = {
      description = "The API answers with 5xx: the server function fails, or the bucket does not answer it. Its log says why."
      namespace   = "AWS/ApiGateway", metric = "5xx", statistic = "Sum"
      dimensions  = { ApiId = aws_apigatewayv2_api.this.id }
      threshold   = 0, periods = 3
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "of_aws" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.alarms }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags
}

# Counted by the worker itself, in its log, at each sweep. It has no dimensions: of several deployments in one account and
# region the worst counts. No sweep, no figure; and a sweep that does not come is itself a failure.
resource "aws_cloudwatch_metric_alarm" "oldest_staged" {
  count = var.alarms ? 1 : 0

  alarm_name          = "${var.name}-oldest-staged"
  alarm_description   = "An upload is accepted and not merged, or nothing has swept for a quarter of an hour. The worker's log says why."
  namespace           = "autopgo"
  metric_name         = "autopgo_staged_oldest_seconds"
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_staged_alarm_seconds
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags
}
