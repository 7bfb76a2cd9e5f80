# A role for each function, with what its code calls and no more. Places of the bucket are told apart: the server cannot
# set aside, the worker cannot accept, and nobody can delete a base.

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "server" {
  name                 = local.server_name
  description          = "What the server of autopgo may do"
  assume_role_policy   = data.aws_iam_policy_document.lambda.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role" "worker" {
  name                 = local.worker_name
  description          = "What the worker of autopgo may do"
  assume_role_policy   = data.aws_iam_policy_document.lambda.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

locals {
  # An application's places. Where the applications themselves lie, below a prefix or not, is left open.
  base     = "${aws_s3_bucket.profiles.arn}/*/default.pgo"
  staging  = "${aws_s3_bucket.profiles.arn}/*/staging/*"
  incoming = "${aws_s3_bucket.profiles.arn}/*/incoming/*"
  rejected = "${aws_s3_bucket.profiles.arn}/*/rejected/*"

  # With what a worker tries a store at an endpoint of your own.
  probes = "${aws_s3_bucket.profiles.arn}/.autopgo/probe-*"
  tries  = length(setintersection(keys(var.worker_environment), ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])) > 0
}

data "aws_iam_policy_document" "server" {
  # Bases are downloaded; what was put by a ticket is read; the other places are asked for what has become of a ticket.
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [local.base, local.staging, local.incoming, local.rejected]
  }

  # Uploads, by the server and by tickets that it signs; and the empty base of an application that is deleted.
  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = [local.base, local.staging, local.incoming]
  }

  # Deletions of an application, and what a ticket has brought.
  statement {
    sid       = "Delete"
    actions   = ["s3:DeleteObject"]
    resources = [local.staging, local.incoming, local.rejected]
  }

  # Without it what is not there looks denied, too.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.profiles.arn]
  }

  statement {
    sid       = "Publish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.events.arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.server.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.amazonaws.com", "sns.*.amazonaws.com", "lambda.*.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "worker" {
  # What is merged, and into what; setting aside is a copy, which reads.
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [local.base, local.staging]
  }

  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = [local.base, local.rejected]
  }

  # What is merged, set aside or too old, and what the Go original left of an application that it deleted.
  statement {
    sid       = "Delete"
    actions   = ["s3:DeleteObject"]
    resources = [local.staging, local.incoming, local.rejected]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.profiles.arn]
  }

  dynamic "statement" {
    for_each = local.tries ? [local.probes] : []

    content {
      sid       = "Try"
      actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "Publish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.events.arn]
  }

  # Lambda itself asks the queue, in the function's name.
  statement {
    sid       = "Receive"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.events.arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.worker.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.amazonaws.com", "sns.*.amazonaws.com", "sqs.*.amazonaws.com", "lambda.*.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role_policy" "server" {
  name   = "autopgo"
  role   = aws_iam_role.server.id
  policy = data.aws_iam_policy_document.server.json
}

resource "aws_iam_role_policy" "worker" {
  name   = "autopgo"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.worker.json
}
