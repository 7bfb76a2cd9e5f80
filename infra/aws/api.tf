# The HTTP API: one route for all, because the server has its own and answers what it does not know.

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = "The HTTP API of autopgo"
  protocol_type = "HTTP"
  tags          = local.tags
}

resource "aws_apigatewayv2_integration" "server" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.server.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.authorizer == "jwt" ? 1 : 0

  api_id           = aws_apigatewayv2_api.this.id
  name             = "${var.name}-jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audience
  }
}

resource "aws_apigatewayv2_route" "all" {
  #checkov:skip=CKV_AWS_309:The server itself checks tokens, which the variable makes sure that it has; authorizers of the gateway are an option.
  api_id    = aws_apigatewayv2_api.this.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.server.id}"

  authorization_type   = { tokens = "NONE", jwt = "JWT", iam = "AWS_IAM" }[var.authorizer]
  authorizer_id        = one(aws_apigatewayv2_authorizer.jwt[*].id)
  authorization_scopes = var.authorizer == "jwt" ? var.jwt.scopes : null
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
  tags        = local.tags

  default_route_settings {
    throttling_rate_limit    = var.throttle.rate
    throttling_burst_limit   = var.throttle.burst
    detailed_metrics_enabled = true
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn

    # No header: the one for authorization is a secret.
    format = jsonencode({
      time         = "$context.requestTime"
      requestId    = "$context.requestId"
      sourceIp     = "$context.identity.sourceIp"
      method       = "$context.httpMethod"
      path         = "$context.path"
      status       = "$context.status"
      bytes        = "$context.responseLength"
      latencyMs    = "$context.responseLatency"
      functionMs   = "$context.integrationLatency"
      functionFail = "$context.integrationErrorMessage"
      authFail     = "$context.authorizer.error"
    })
  }
}

resource "aws_cloudwatch_log_group" "api" {
  #checkov:skip=CKV_AWS_338:How long is enough is for the operator to say, by a variable; profiles are no audit trail.
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch's own key, or by yours where one is given.
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.server.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}
