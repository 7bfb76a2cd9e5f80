//! Functions on the MiniStack that `tests/services` starts: it runs the bootstraps that `cargo lambda build` made, over the
//! Lambda Runtime API, behind an HTTP API and a queue. Made by the REST calls that AWS documents ("Lambda API Reference",
//! "Amazon API Gateway Version 2 API Reference").

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Client;
use serde_json::{Value, json};

use crate::skip;

/// Where `tests/run functions` says that the bootstraps are: a folder for each binary, as `cargo lambda build` makes them.
const BOOTSTRAPS: &str = "AUTOPGO_TEST_BOOTSTRAPS";
/// MiniStack checks no signature, but reads from it which service is meant.
const REGION: &str = "us-east-1";
const ROLE: &str = "arn:aws:iam::000000000000:role/story";

/// Functions of a story's own.
pub struct Functions {
    http: Client,
    endpoint: String,
    bootstraps: PathBuf,
    name: String,
}

impl Functions {
    /// `None`, said aloud, where there is no server or nothing for it to run.
    pub fn new() -> Option<Self> {
        let endpoint = skip::server("ministack")?;
        let bootstraps = skip::variable("cargo-lambda", BOOTSTRAPS)?.into();
        let name = format!("story-{:016x}", fastrand::u64(..));
        Some(Self { http: Client::new(), endpoint, bootstraps, name })
    }

    /// Makes a function of the binary `binary` with these variables, and gives its ARN.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn function(&self, binary: &str, seconds: u64, variables: &[(&str, String)]) -> String {
        let zip = self.bootstraps.join(binary).join("bootstrap.zip");
        let zip = tokio::fs::read(&zip).await.unwrap_or_else(|error| panic!("{}: {error}", zip.display()));
        let variables: serde_json::Map<String, Value> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let function = json!({
            "FunctionName": format!("{}-{binary}", self.name), "Runtime": "provided.al2023", "Handler": "bootstrap",
            "Role": ROLE, "Timeout": seconds, "MemorySize": 512, "Environment": {"Variables": variables},
            "Code": {"ZipFile": BASE64_STANDARD.encode(zip)},
        });
        text(&self.call("lambda", "/2015-03-31/functions", &function).await, "FunctionArn")
    }

    /// Feeds the function from the queue, which is told of each message that failed by itself.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn feed(&self, function: &str, queue: &str, batch: usize) {
        let mapping = json!({
            "FunctionName": function, "EventSourceArn": queue, "BatchSize": batch,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        });
        self.call("lambda", "/2015-03-31/event-source-mappings", &mapping).await;
    }

    /// Puts an HTTP API before the function, with a stage of this name in its path, and gives its base URL.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn api(&self, function: &str, stage: &str) -> String {
        let post = async |path: String, body: Value| self.call("apigateway", &path, &body).await;
        let api = post("/v2/apis".into(), json!({"name": self.name, "protocolType": "HTTP"})).await;
        let api = text(&api, "apiId");
        let proxy = json!({
            "integrationType": "AWS_PROXY", "integrationUri": function, "payloadFormatVersion": "2.0",
        });
        let proxy = text(&post(format!("/v2/apis/{api}/integrations"), proxy).await, "integrationId");
        let route = json!({"routeKey": "$default", "target": format!("integrations/{proxy}")});
        post(format!("/v2/apis/{api}/routes"), route).await;
        post(format!("/v2/apis/{api}/stages"), json!({"stageName": stage, "autoDeploy": true})).await;
        format!("{}/_aws/execute-api/{api}/{stage}", self.endpoint)
    }

    /// Calls the function with `event` and gives what it answered.
    ///
    /// # Panics
    /// When it cannot be called.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        self.call("lambda", &path, event).await
    }

    async fn call(&self, service: &str, path: &str, body: &Value) -> Value {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=story/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let request = self.http.post(format!("{}{path}", self.endpoint));
        let answer =
            request.header("authorization", scope).json(body).send().await.expect("MiniStack answers");
        let status = answer.status();
        let body = answer.text().await.expect("an answer");
        assert!(status.is_success(), "{path}: {status}: {body}");
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    }
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}")).to_owned()
}
