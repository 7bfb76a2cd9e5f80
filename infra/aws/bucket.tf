# The bucket with all profiles: private, encrypted, by TLS alone.

resource "aws_s3_bucket" "profiles" {
  #checkov:skip=CKV_AWS_18:The functions log each profile that they take, give and merge; logs of the bucket would need a second bucket.
  #checkov:skip=CKV_AWS_21:Versions are an option: uploads are deleted as soon as they are merged, and each merge overwrites a base.
  #checkov:skip=CKV_AWS_144:Profiles are made anew all the time; a copy in a second region is not worth its traffic.
  #checkov:skip=CKV_AWS_145:Encrypted by S3's own key, or by yours where one is given.
  #checkov:skip=CKV2_AWS_62:The server publishes what it takes in, and the sweep finds the rest; notifications would bring it twice.
  bucket        = var.bucket_name
  bucket_prefix = var.bucket_name == null ? "${var.name}-" : null
  force_destroy = var.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "profiles" {
  bucket                  = aws_s3_bucket.profiles.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "profiles" {
  bucket = aws_s3_bucket.profiles.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "profiles" {
  bucket = aws_s3_bucket.profiles.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "profiles" {
  count  = var.versioning.enabled ? 1 : 0
  bucket = aws_s3_bucket.profiles.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Nothing here may expire a current object: what lies in staging/ is accepted and waits to be merged, however long. What is
# too old in incoming/ and rejected/ the sweep removes; a rule could not, for keys begin with the application.
resource "aws_s3_bucket_lifecycle_configuration" "profiles" {
  #checkov:skip=CKV_AWS_300:The first rule sets it; with versions, checkov looks at the second one alone.
  bucket = aws_s3_bucket.profiles.id

  rule {
    id     = "aborted-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = var.versioning.enabled ? [var.versioning.days] : []

    content {
      id     = "noncurrent-versions"
      status = "Enabled"

      filter {}

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }

      # Markers of deletions with no version behind them, and no object.
      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.profiles]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.profiles.arn, "${aws_s3_bucket.profiles.arn}/*"]

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

resource "aws_s3_bucket_policy" "profiles" {
  bucket = aws_s3_bucket.profiles.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.profiles]
}
