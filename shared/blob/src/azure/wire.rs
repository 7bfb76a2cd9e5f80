//! Between `object_store` and the network. What the service refuses becomes an error that says with which status and
//! code (`object_store` keeps both in texts), each try has its own time limit, and everything that may pass is marked
//! as worth another try: of two stores, one tries again and one never does, so what may not be sent twice is decided by
//! the choice between them and not here.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

/// For one try of a request without a body worth speaking of, to the first byte of its answer.
pub(super) const ATTEMPT: Duration = Duration::from_secs(10);
/// What a body adds to that: the slowest line that is worth waiting for, in bytes a second.
const SLOWEST: u64 = 1 << 20;
/// How much of an answer that is an error is read.
const WORDS: usize = 16 << 10;

/// What a body of this many bytes adds to a time limit.
pub(super) fn time_for(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / SLOWEST)
}

/// Somebody answered, and not with what was asked for.
#[derive(Debug)]
pub(super) struct Refused {
    /// Who: the service, or whoever gives credentials.
    pub(super) host: String,
    pub(super) status: u16,
    /// Of Azure's own codes, if it gave one.
    pub(super) code: Option<String>,
    /// The first line of its words.
    pub(super) message: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers {}", self.host, self.status)?;
        for words in [&self.code, &self.message].into_iter().flatten() {
            write!(f, ": {words}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Nobody answered in time.
#[derive(Debug)]
pub(super) struct Silent;

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer in time")
    }
}

impl std::error::Error for Silent {}

/// A copy that is not done: its target is there, and empty.
pub(super) const COPY_PENDING: &str = "CopyPending";
/// A copy that came to nothing: its target is there, and empty.
pub(super) const COPY_FAILED: &str = "CopyFailed";

/// Makes the clients of `object_store`.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Wire(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Wire(HttpClient);

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let limit = ATTEMPT + time_for(request.body().content_length());
        let answered = async {
            let answer = self.0.execute(request).await.map_err(worth_another)?;
            match copy_state(&answer) {
                None if answer.status().is_success() => Ok(answer),
                state => Err(refused(host, answer, state).await),
            }
        };
        match tokio::time::timeout(limit, answered).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpError::new(HttpErrorKind::Request, Silent)),
        }
    }
}

/// By its kind, `object_store` decides whether to try again.
fn worth_another(error: HttpError) -> HttpError {
    match error.kind() {
        HttpErrorKind::Timeout | HttpErrorKind::Interrupted => HttpError::new(HttpErrorKind::Request, error),
        _ => error,
    }
}

/// What is wrong with the blob as a copy (Microsoft Learn, "Copy Blob", `x-ms-copy-status`).
fn copy_state(answer: &HttpResponse) -> Option<&'static str> {
    match answer.headers().get("x-ms-copy-status")?.as_bytes() {
        b"pending" => Some(COPY_PENDING),
        b"failed" | b"aborted" => Some(COPY_FAILED),
        _ => None,
    }
}

async fn refused(host: String, answer: HttpResponse, state: Option<&str>) -> HttpError {
    let status = answer.status().as_u16();
    let header = answer.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok());
    let code = state.or(header).map(str::to_owned);
    let message = if state.is_none() { message(&words(answer).await) } else { None };
    let kind = match status {
        408 | 429 | 500 | 502 | 503 | 504 => HttpErrorKind::Request,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, Refused { host, status, code, message })
}

/// The beginning of a body. One that breaks off has no more to say.
async fn words(answer: HttpResponse) -> String {
    let mut bytes = Vec::new();
    let mut chunks = answer.into_body().bytes_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > WORDS {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first line of what the service (in XML) or Entra (in JSON) says. What stands behind it may be of no use to anybody
/// else, such as the text that a signature was made of.
fn message(body: &str) -> Option<String> {
    let between = |start: &str, end: &str| Some(body.split_once(start)?.1.split_once(end)?.0);
    let text = between("<Message>", "</Message>").or_else(|| between("\"error_description\":\"", "\""))?;
    let line = text.split(['\r', '\n', '\\']).next().unwrap_or_default().trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_message() {
        for (body, line) in [
            (
                "\u{feff}<?xml version=\"1.0\"?><Error><Code>C</Code><Message>No such container.\nRequestId:1\n</Message>",
                Some("No such container."),
            ),
            ("<Error><Message></Message></Error>", None),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid secret.\r\nTrace"}"#,
                Some("AADSTS7000215: Invalid secret."),
            ),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(message(body).as_deref(), line, "{body}");
        }
    }

    #[test]
    fn a_refusal_says_who_and_why() {
        let refused = |code: Option<&str>, message: Option<&str>| {
            let (code, message) = (code.map(str::to_owned), message.map(str::to_owned));
            Refused { host: "h".to_owned(), status: 403, code, message }.to_string()
        };
        assert_eq!(refused(None, None), "h answers 403");
        assert_eq!(refused(Some("C"), Some("words")), "h answers 403: C: words");
    }
}
