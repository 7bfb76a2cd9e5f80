# The key that all is encrypted by, and which services may use it for what is the module's.

data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

resource "aws_kms_key" "autopgo" {
  description             = "Encrypts the profiles, events and logs of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:In the policy of a key, "*" is this key; the account must be able to manage it.
  #checkov:skip=CKV_AWS_111:In the policy of a key, "*" is this key.
  #checkov:skip=CKV_AWS_356:In the policy of a key, "*" is this key.

  # Who may use the key in the account is for policies of the account to say, those of the module's roles among them.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.here.partition}:iam::${data.aws_caller_identity.here.account_id}:root"]
    }
  }

  # A topic that hands on to a queue, and alarms that tell a topic.
  statement {
    sid       = "Messages"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com", "cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values = [
        for group in ["apigateway/${var.name}", "lambda/${var.name}-server", "lambda/${var.name}-worker"] :
        "arn:${data.aws_partition.here.partition}:logs:*:${data.aws_caller_identity.here.account_id}:log-group:/aws/${group}"
      ]
    }
  }
}

resource "aws_kms_key_policy" "autopgo" {
  key_id = aws_kms_key.autopgo.id
  policy = data.aws_iam_policy_document.key.json
}
