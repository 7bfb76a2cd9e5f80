//! What there is on the MiniStack that `tests/services` starts, whoever made it: by the calls that AWS documents for a list
//! of each kind of thing.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::skip;

const JSON: &str = "application/x-amz-json-1.1";
const FORM: &str = "application/x-www-form-urlencoded";

/// A kind, the service that lists it, how that is asked, and the field of the answer that names one.
const LISTS: &[(&str, &str, Ask, &str)] = &[
    ("alarms", "monitoring", Ask::Form("Action=DescribeAlarms&Version=2010-08-01"), "AlarmName"),
    ("APIs", "apigateway", Ask::Get("/v2/apis"), "apiId"),
    ("buckets", "s3", Ask::Get("/"), "Name"),
    ("functions", "lambda", Ask::Get("/2015-03-31/functions"), "FunctionName"),
    ("log groups", "logs", Ask::Json("Logs_20140328.DescribeLogGroups"), "logGroupName"),
    ("mappings", "lambda", Ask::Get("/2015-03-31/event-source-mappings"), "UUID"),
    ("queues", "sqs", Ask::Json("AmazonSQS.ListQueues"), "QueueUrls"),
    ("roles", "iam", Ask::Form("Action=ListRoles&Version=2010-05-08"), "RoleName"),
    ("rules", "events", Ask::Json("AWSEvents.ListRules"), "Name"),
    ("subscriptions", "sns", Ask::Form("Action=ListSubscriptions&Version=2010-03-31"), "SubscriptionArn"),
    ("topics", "sns", Ask::Form("Action=ListTopics&Version=2010-03-31"), "TopicArn"),
];

#[derive(Clone, Copy)]
enum Ask {
    Get(&'static str),
    Form(&'static str),
    Json(&'static str),
}

/// The server, as whoever has the account sees it.
pub struct Account {
    http: Client,
    endpoint: String,
}

impl Account {
    /// `None`, said aloud, where there is no server.
    pub fn new() -> Option<Self> {
        Some(Self { http: Client::new(), endpoint: skip::server("ministack")? })
    }

    /// The names of all that there is, by kind.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub async fn inventory(&self) -> BTreeMap<&'static str, BTreeSet<String>> {
        let mut all = BTreeMap::new();
        for (kind, service, ask, field) in LISTS {
            let answer = match ask {
                Ask::Get(path) => self.ask(service, Method::GET, path, &[], "").await,
                Ask::Form(form) => {
                    self.ask(service, Method::POST, "/", &[("content-type", FORM)], form).await
                }
                Ask::Json(target) => {
                    let headers = [("content-type", JSON), ("x-amz-target", target)];
                    self.ask(service, Method::POST, "/", &headers, "{}").await
                }
            };
            all.insert(*kind, named(&answer, field));
        }
        all
    }

    /// What is in this log group, line by line.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn log(&self, group: &str) -> Vec<String> {
        let headers = [("content-type", JSON), ("x-amz-target", "Logs_20140328.FilterLogEvents")];
        let body = json!({"logGroupName": group}).to_string();
        let answer = self.ask("logs", Method::POST, "/", &headers, &body).await;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let events = answer["events"].as_array().expect("events");
        events.iter().filter_map(|event| event["message"].as_str()).map(str::to_owned).collect()
    }

    async fn ask(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        // MiniStack checks no signature, but reads from it which service is meant.
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=story/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let mut request = self.http.request(method, format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("authorization", scope).body(body.to_owned());
        let answer = request.send().await.expect("MiniStack answers");
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        assert!(status.is_success(), "{service} {path} {body}: {status}: {text}");
        text
    }
}

/// The values of this field in an answer, in JSON or XML.
fn named(answer: &str, field: &str) -> BTreeSet<String> {
    match serde_json::from_str::<Value>(answer) {
        Ok(answer) => {
            let mut found = BTreeSet::new();
            collect(&answer, field, &mut found);
            found
        }
        Err(_) => {
            let (open, close) = (format!("<{field}>"), format!("</{field}>"));
            let values = answer.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
            values.map(str::to_owned).collect()
        }
    }
}

fn collect(value: &Value, field: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == field {
                    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                    found.extend(values.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                collect(value, field, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, field, found)),
        _ => {}
    }
}
