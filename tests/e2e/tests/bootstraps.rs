//! The functions of AWS as AWS runs them: bootstraps that `cargo lambda build` made, on an emulator of Lambda, API Gateway,
//! S3, SNS and SQS. Nothing sweeps here: what is merged was brought by messages.

#[path = "bootstraps/lambda.rs"]
mod lambda;
#[path = "bootstraps/watch.rs"]
mod watch;
