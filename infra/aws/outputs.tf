output "api_url" {
  description = "The base URL for --api-url and AUTOPGO_API_URL."
  value       = trimsuffix(aws_apigatewayv2_stage.default.invoke_url, "/")
}

output "api_execution_arn" {
  description = "With the authorizer iam: whom you let call the API is given execute-api:Invoke on this, followed by /*."
  value       = aws_apigatewayv2_api.this.execution_arn
}

output "bucket" {
  description = "The bucket with all profiles."
  value       = aws_s3_bucket.profiles.bucket
}

output "topic_arn" {
  description = "The topic that events are published to; more queues may subscribe to it."
  value       = aws_sns_topic.events.arn
}

output "queue_url" {
  description = "The queue that feeds the worker."
  value       = aws_sqs_queue.events.url
}

output "dead_letter_queue_url" {
  description = "The queue of the messages that failed too often."
  value       = aws_sqs_queue.dead.url
}

output "server_function" {
  description = "The name of the function that answers the API."
  value       = aws_lambda_function.server.function_name
}

output "worker_function" {
  description = "The name of the function that merges."
  value       = aws_lambda_function.worker.function_name
}

output "log_groups" {
  description = "The log groups of the API, the server and the worker."
  value = {
    api    = aws_cloudwatch_log_group.api.name
    server = aws_cloudwatch_log_group.server.name
    worker = aws_cloudwatch_log_group.worker.name
  }
}
