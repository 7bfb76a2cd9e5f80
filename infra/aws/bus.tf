# The events: a topic, the worker's queue that has what the topic is told, and a dead-letter queue.

resource "aws_sns_topic" "events" {
  name       = "${var.name}-events${local.suffix}"
  fifo_topic = var.fifo

  # Ours say which messages are the same; the Go original does not, and may publish here too.
  content_based_deduplication = var.fifo ? true : null
  fifo_throughput_scope       = var.fifo ? "MessageGroup" : null

  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")
  tags              = local.tags
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.events.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

# In place of the policy that topics are born with, by which all of the account may publish: here only whose own policy
# says so.
resource "aws_sns_topic_policy" "events" {
  arn    = aws_sns_topic.events.arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sqs_queue" "events" {
  name       = "${var.name}-events${local.suffix}"
  fifo_queue = var.fifo

  # Groups are applications: so one that is busy is no bound for the others.
  deduplication_scope   = var.fifo ? "messageGroup" : null
  fifo_throughput_limit = var.fifo ? "perMessageGroupId" : null

  # Six times what the worker may take, as Lambda wants it: a message is not brought again while it is still at work.
  visibility_timeout_seconds = 6 * var.worker.timeout
  message_retention_seconds  = 4 * 24 * 3600

  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
  kms_master_key_id       = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = var.max_receive_count
  })

  tags = local.tags
}

resource "aws_sqs_queue" "dead" {
  name       = "${var.name}-dead${local.suffix}"
  fifo_queue = var.fifo

  # As long as SQS keeps anything: somebody has to look.
  message_retention_seconds = 14 * 24 * 3600

  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
  kms_master_key_id       = var.kms_key_arn

  tags = local.tags
}

# A queue of its own resource, for the two name each other.
resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = { events = aws_sqs_queue.events.arn, dead = aws_sqs_queue.dead.arn }

  statement {
    sid       = "TheTopicAlone"
    actions   = ["sqs:SendMessage"]
    resources = [each.value]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_sns_topic.events.arn]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.queue["events"].json
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  policy    = data.aws_iam_policy_document.queue["dead"].json
}

# Raw: a message is the event itself, as it was published. It is smaller, and one of the dead-letter queue can be read by
# eye and sent to the queue again as it is. The worker reads both forms.
resource "aws_sns_topic_subscription" "queue" {
  topic_arn            = aws_sns_topic.events.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.events.arn
  raw_message_delivery = true

  # What the queue does not take, because its policy or its key has been changed, is kept as well.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn })

  # A subscription before the policy would deliver to a queue that refuses.
  depends_on = [aws_sqs_queue_policy.events, aws_sqs_queue_policy.dead]
}
