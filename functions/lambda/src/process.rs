//! A program that the platform starts: what it reads, how it logs, and what it says when it cannot start.

use std::io;
use std::process::ExitCode;

use autopgo_boot::{Config, config, log};
use autopgo_core::error::{Error, Result};
use autopgo_http::process::logging::Format;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use lambda_runtime_api_client::{PooledClient, build_request};
use serde::Serialize;
use serde_json::Value;

use crate::emf::Recorder;
use crate::{DEFAULTS, diagnostic};

/// What the platform sets (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>), and the runtime
/// cannot be without.
const PLATFORM: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Makes a function from the environment, once, and answers events by `call` for as long as the platform lets it.
///
/// A function that cannot be made is told to the platform, and in the log.
pub async fn run<F, C, A, T>(open: impl AsyncFnOnce(Config) -> Result<F>, call: C) -> ExitCode
where
    F: Clone + Send + 'static,
    C: Fn(F, LambdaEvent<Value>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<T, Diagnostic>> + Send + 'static,
    T: Serialize + Send + 'static,
{
    let config = Config::from_environment(DEFAULTS);
    let logging = log(config.as_ref().ok(), Format::Json);
    if let Some(missing) = config::missing(&PLATFORM) {
        tracing::error!(
            "{missing} is not set: this program is for AWS Lambda, or `cargo lambda watch`, to start; `autopgo server` and \
             `autopgo worker` run by themselves"
        );
        return ExitCode::FAILURE;
    }
    let opened = async {
        let config = logging.and(config)?;
        // Before anything is made that says how it is counted.
        let counts = Recorder::install()?;
        Ok::<_, Error>((open(config).await?, counts))
    };
    let ran = match opened.await {
        Ok((function, counts)) => {
            let answer = move |event| {
                let (counts, answer) = (counts.clone(), call(function.clone(), event));
                async move {
                    let answer = answer.await;
                    tell(&counts);
                    answer
                }
            };
            lambda_runtime::run_concurrent(service_fn(answer)).await
        }
        Err(error) => {
            tracing::error!(error = error.chain(), "the function cannot start");
            failed(&error).await
        }
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the function has ended");
            ExitCode::FAILURE
        }
    }
}

/// Writes what was counted where the platform looks for it. An invocation does not fail for that.
fn tell(counts: &Recorder) {
    if let Err(error) = counts.flush(&mut io::stdout().lock()) {
        tracing::warn!(error = %error, "what was counted could not be written");
    }
}

/// Tells the platform why there is no function
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror>): whoever calls it is told.
async fn failed(error: &Error) -> Result<(), lambda_runtime::Error> {
    let kind = format!("Init.{:?}", error.kind());
    let request = build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", kind)
        .body(serde_json::to_vec(&diagnostic(error))?.into())?;
    PooledClient::builder().build().call(request).await?;
    Err("it could not start".into())
}
