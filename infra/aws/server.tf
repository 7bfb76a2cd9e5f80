# The function that answers the HTTP API.

resource "aws_lambda_function" "server" {
  #checkov:skip=CKV_AWS_50:The function makes no traces; its log has a line for each request, and metrics.
  #checkov:skip=CKV_AWS_116:It is called and answers; no event of it could be left over.
  #checkov:skip=CKV_AWS_117:It reaches nothing but services of AWS, by TLS and with its own identity; a network of yours would have nothing in it.
  #checkov:skip=CKV_AWS_173:Of secrets the environment has hashes at the most; it is encrypted by Lambda's own key, or by yours where one is given.
  #checkov:skip=CKV_AWS_272:The zip is what you built and whose hash Terraform keeps.
  function_name    = local.server_name
  description      = "The HTTP API of autopgo"
  role             = aws_iam_role.server.arn
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  handler          = "bootstrap"
  filename         = var.server_zip
  source_code_hash = filebase64sha256(var.server_zip)

  memory_size                    = var.server.memory
  timeout                        = var.server.timeout
  reserved_concurrent_executions = var.server.concurrency
  kms_key_arn                    = var.kms_key_arn
  tags                           = local.tags

  environment {
    variables = merge(
      local.shared_environment,
      # Hashes only. What is not set is left out: an entry without applications is for all.
      var.authorizer == "tokens" ? {
        AUTOPGO_TOKENS = jsonencode([for token in var.tokens : { for key, value in token : key => value if value != null }])
      } : {},
      var.server_environment,
    )
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.server.name
  }

  # Its first start must be permitted to log.
  depends_on = [aws_iam_role_policy.server]
}

resource "aws_cloudwatch_log_group" "server" {
  #checkov:skip=CKV_AWS_338:How long is enough is for the operator to say, by a variable; profiles are no audit trail.
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch's own key, or by yours where one is given.
  name              = "/aws/lambda/${local.server_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}
