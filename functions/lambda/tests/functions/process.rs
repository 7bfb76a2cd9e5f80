//! The two programs, started as the platform starts them, by a Runtime API of this repository.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use autopgo_fakes::lambda::{Fake, Invoked};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::rig::{Answer, fixture, handed_back, queue, request, upload, uploaded};

const SERVER: &str = env!("CARGO_BIN_EXE_autopgo-lambda-server");
const WORKER: &str = env!("CARGO_BIN_EXE_autopgo-lambda-worker");
/// No step takes this long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A function's process, ended when it is dropped.
struct Function {
    api: Fake,
    process: Child,
}

impl Function {
    fn start(program: &str, variables: &[(&str, &str)]) -> Self {
        let api = Fake::start().expect("a port");
        let process = started(program, &api.variables(), variables);
        Self { api, process }
    }

    /// Over a folder, with events that go nowhere.
    fn over(program: &str, folder: &Path) -> Self {
        let store = format!("file://{}", folder.display());
        Self::start(
            program,
            &[("AUTOPGO_BLOB_STORE_URL", &store), ("AUTOPGO_EVENT_WRITER_URL", "mem://events")],
        )
    }

    async fn invoke(&self, event: &Value) -> Invoked {
        self.api.invoke(event.to_string(), PATIENCE).await
    }

    async fn ask(&self, event: &Value) -> Answer {
        Answer::of(self.invoke(event).await.json())
    }

    /// How it ended by itself, and what it logged.
    async fn ended(&mut self) -> (ExitStatus, String) {
        ended(&mut self.process).await
    }
}

fn started(program: &str, platform: &[(&str, String)], variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(program);
    command.env_clear().kill_on_drop(true).stderr(Stdio::piped()).stdout(Stdio::null());
    command.envs(platform.iter().map(|(name, value)| (*name, value.as_str())));
    command.envs(variables.iter().copied());
    command.spawn().expect("it starts")
}

async fn ended(process: &mut Child) -> (ExitStatus, String) {
    let mut log = String::new();
    let mut pipe = process.stderr.take().expect("a pipe");
    let end = async {
        pipe.read_to_string(&mut log).await.expect("UTF-8");
        process.wait().await.expect("it can be waited for")
    };
    let status = tokio::time::timeout(PATIENCE, end).await.expect("it ends");
    (status, log)
}

#[tokio::test]
async fn an_upload_is_merged_and_downloaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Function::over(SERVER, folder.path());
    let worker = Function::over(WORKER, folder.path());
    let health = server.ask(&fixture("url-health")).await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("healthy")));
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let answer = server.ask(&fixture("http-upload-stage")).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        bodies.push((uploaded("hello-world", answer.json()["key"].as_str().expect("a key")), None));
    }
    let merged = worker.invoke(&queue(&bodies)).await;
    assert_eq!(handed_back(&merged.json()), [""; 0]);
    let base = server.ask(&request("GET", "/api/profile/hello-world")).await;
    assert_eq!((base.status, base.header("content-type")), (200, Some("application/octet-stream")));
    assert_eq!(worker.invoke(&queue(&bodies)).await.json(), merged.json());
    let again = server.ask(&request("GET", "/api/profile/hello-world")).await;
    assert_eq!(again.body, base.body, "a second delivery adds nothing");
    let swept = worker.invoke(&fixture("schedule-rule")).await.json();
    assert_eq!((&swept["failed"], &swept["unfinished"]), (&json!(0), &json!(false)));
}

#[tokio::test]
async fn tokens_of_the_environment_are_asked_for() {
    // Of `a-token-of-the-tests`.
    let sha256 = "c7355b9788d3036817b4b9118e71116224521da29885b160eb8451377c47b377";
    let tokens = json!([{"name": "ci", "scopes": ["download"], "sha256": sha256}]).to_string();
    let server = Function::start(
        SERVER,
        &[
            ("AUTOPGO_BLOB_STORE_URL", "mem://store"),
            ("AUTOPGO_EVENT_WRITER_URL", "mem://events"),
            ("AUTOPGO_TOKENS", &tokens),
        ],
    );
    for (header, method, status) in [
        (Value::Null, "GET", 401),
        ("Bearer another".into(), "GET", 401),
        ("Bearer a-token-of-the-tests".into(), "GET", 404),
        ("Bearer a-token-of-the-tests".into(), "DELETE", 403),
    ] {
        let mut event = request(method, "/api/profile/hello-world");
        event["headers"]["authorization"] = header;
        let answer = server.ask(&event).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(status)), "{event}");
    }
}

#[tokio::test]
async fn an_event_for_another_is_an_error_and_the_next_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    for (program, event, next) in [
        (SERVER, "sqs-wrapped", "url-health"),
        (WORKER, "refused-s3", "sqs-wrapped"),
        (WORKER, "sqs-nameless", "schedule-constant"),
    ] {
        let function = Function::over(program, folder.path());
        let failed = function.invoke(&fixture(event)).await;
        let failure = failed.answer.failure();
        assert!(
            ["Invalid", "Internal"].contains(&&*failure.kind) && !failure.message.is_empty(),
            "{failure:?}"
        );
        let answered = function.invoke(&fixture(next)).await;
        assert!(answered.json().is_object(), "{answered:?}");
        assert!(answered.took < PATIENCE);
    }
}

#[tokio::test]
async fn what_is_wrong_at_the_start_is_said_to_the_platform_and_in_the_log() {
    let store = ("AUTOPGO_BLOB_STORE_URL", "mem://store");
    let events = ("AUTOPGO_EVENT_WRITER_URL", "mem://events");
    for (program, variables, says) in [
        (SERVER, vec![events], "AUTOPGO_BLOB_STORE_URL"),
        (WORKER, vec![store], "AUTOPGO_EVENT_WRITER_URL"),
        (SERVER, vec![store, events, ("AUTOPGO_MAX_BODY_BYTES", "much")], "AUTOPGO_MAX_BODY_BYTES=\"much\""),
        (SERVER, vec![store, events, ("AUTOPGO_LOG_LEVEL", "loud")], "AUTOPGO_LOG_LEVEL"),
        (WORKER, vec![store, events, ("AUTOPGO_PRUNE", "/no/such/file")], "AUTOPGO_PRUNE"),
        (WORKER, vec![("AUTOPGO_BLOB_STORE_URL", "ftp://b"), events], "ftp"),
    ] {
        let mut function = Function::start(program, &variables);
        let failed = tokio::time::timeout(PATIENCE, function.api.init_failed()).await;
        let failure = failed.unwrap_or_else(|_| panic!("{says}: it started"));
        assert!(failure.message.contains(says), "{says}: {failure:?}");
        assert_eq!((&*failure.header, &*failure.kind), ("Init.Invalid", "Invalid"));
        let (status, log) = function.ended().await;
        assert_eq!(status.code(), Some(1), "{log}");
        let line = log.lines().find(|line| line.contains("cannot start")).expect("a line of the log");
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert!(line["error"].as_str().expect("the error").contains(says), "{line}");
    }
}

#[tokio::test]
async fn without_the_platform_it_says_what_to_start() {
    for program in [SERVER, WORKER] {
        let (status, log) = ended(&mut started(program, &[], &[])).await;
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("AWS_LAMBDA_RUNTIME_API is not set") && log.contains("autopgo server"), "{log}");
    }
}

#[tokio::test]
async fn a_bus_that_never_answers_is_given_up_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Function::over(SERVER, folder.path());
    let answer = server.ask(&upload("hello")).await;
    let body = uploaded("hello", answer.json()["key"].as_str().expect("a key"));
    // It takes connections and says nothing.
    let silent = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let store = format!("file://{}", folder.path().display());
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let topic =
        format!("awssns:///arn:aws:sns:eu-west-1:123456789012:pgo?region=eu-west-1&endpoint={endpoint}");
    let worker = Function::start(
        WORKER,
        &[
            ("AUTOPGO_BLOB_STORE_URL", &store),
            ("AUTOPGO_EVENT_WRITER_URL", &topic),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ],
    );
    let answered = worker.api.invoke(queue(&[(body, None)]).to_string(), Duration::from_millis(1_200)).await;
    assert_eq!(handed_back(&answered.json()), ["0"]);
    assert!(answered.took < Duration::from_millis(1_200), "{answered:?}");
}
