//! Where tokens come from. Entra:
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>. A machine:
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>. A place such as App
//! Service: <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use uuid::Uuid;

use super::State;

/// The tenant that Entra knows here.
pub const TENANT: &str = "5c2f0f5e-0000-4000-8000-000000000001";
/// The application that Entra knows here.
pub const CLIENT: &str = "5c2f0f5e-0000-4000-8000-000000000002";
/// Its secret; and what a workload's file and the header of a place have to hold.
pub const SECRET: &str = "a+secret/of=it";

const RESOURCE: &str = "https://servicebus.azure.net";
const LIFE: Duration = Duration::from_secs(3600);

/// The tokens that were given, each with its end.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Given>);

#[derive(Default)]
struct Given {
    tokens: Vec<(String, Instant)>,
    life: Option<Duration>,
}

impl Tokens {
    pub(super) fn knows(&self, token: &str) -> bool {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.tokens.iter().any(|(known, end)| known == token && Instant::now() < *end)
    }

    pub(super) fn given(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tokens.len()
    }

    pub(super) fn last(&self, life: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).life = Some(life);
    }

    fn give(&self) -> (String, Duration) {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let life = given.life.unwrap_or(LIFE);
        let token = Uuid::new_v4().simple().to_string();
        given.tokens.push((token.clone(), Instant::now() + life));
        (token, life)
    }
}

type Answer = (StatusCode, Json<Value>);

pub(super) async fn entra(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<String>,
    body: String,
) -> Answer {
    let form: HashMap<String, String> =
        body.split('&').filter_map(|pair| pair.split_once('=')).map(decoded).collect();
    let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
    let by_secret = is("client_secret", SECRET);
    let by_another = is("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        && is("client_assertion", SECRET);
    let scope = format!("{RESOURCE}/.default");
    if !is("grant_type", "client_credentials") || !is("scope", &scope) {
        return refused("invalid_request", "AADSTS900144: The request body is not what it must be.");
    }
    if tenant != TENANT || !is("client_id", CLIENT) || !(by_secret || by_another) {
        let words = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1";
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({"error": "invalid_client", "error_description": words})),
        );
    }
    let (token, life) = state.tokens.give();
    let life = life.as_secs();
    (StatusCode::OK, Json(json!({"token_type": "Bearer", "expires_in": life, "access_token": token})))
}

pub(super) async fn machine(
    Shared(state): Shared<Arc<State>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let asked = headers.get("metadata").is_some_and(|value| value == "true");
    managed(&state, &query, asked, "2018-02-01")
}

pub(super) async fn place(
    Shared(state): Shared<Arc<State>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let asked = headers.get("x-identity-header").is_some_and(|value| value == SECRET);
    managed(&state, &query, asked, "2019-08-01")
}

fn managed(state: &State, query: &HashMap<String, String>, asked: bool, version: &str) -> Answer {
    let is = |name: &str, value: &str| query.get(name).is_some_and(|given| given == value);
    let client = query.get("client_id").is_none_or(|client| client == CLIENT);
    if !asked || !is("api-version", version) || !is("resource", RESOURCE) || !client {
        return refused("invalid_request", "Identity not found");
    }
    let (token, life) = state.tokens.give();
    // As texts, and of the one only when, of the other only how long.
    let end = Timestamp::now().as_second() + i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
    let mut answer = json!({"token_type": "Bearer", "resource": RESOURCE, "access_token": token});
    match version {
        "2018-02-01" => answer["expires_in"] = life.as_secs().to_string().into(),
        _ => answer["expires_on"] = end.to_string().into(),
    }
    (StatusCode::OK, Json(answer))
}

fn refused(error: &str, words: &str) -> Answer {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error, "error_description": words})))
}

fn decoded((name, value): (&str, &str)) -> (String, String) {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    (decode(name), decode(value))
}
