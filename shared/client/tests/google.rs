//! Identity tokens of Google's: asked for, kept, renewed, and sent to a Cloud Run that looks at them. Both are fakes that
//! Google's own client has tried.
#![expect(clippy::expect_used, reason = "tests say what they rely on")]

use std::time::{Duration, Instant};

use api::{api, profile};
use autopgo_client::{Client, Google, Headers, Identity, Options};
use autopgo_core::app::App;
use autopgo_core::error::Kind;
use autopgo_fakes::google::{CloudRun, Google as Fake, MACHINE};
use fake::patient;
use google_cloud_auth::credentials::idtoken::mds;
use http::HeaderValue;

mod api;
#[allow(dead_code, reason = "what only the other tests use")]
#[path = "calls/fake.rs"]
mod fake;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

fn app() -> App {
    App::parse("checkout").expect("a name")
}

/// Whoever the metadata server is for, by tokens for `audience`.
fn machine(google: &Fake, audience: &str, token: Option<&'static str>) -> Identity {
    let credentials = mds::Builder::new(audience)
        .with_format(mds::Format::Full)
        .with_endpoint(format!("http://{}", google.host()))
        .build()
        .expect("credentials");
    let identity = Google::new(None, token.map(HeaderValue::from_static)).expect("an identity");
    Identity::Google(identity.with_credentials(credentials))
}

fn service(google: &Fake) -> CloudRun {
    google.cloud_run(api(), &[MACHINE], &[]).expect("a service")
}

fn client(service: &CloudRun, identity: Identity, patience: u64) -> Client {
    Client::new(&service.url(), Options { identity, ..patient(patience) }).expect("a client")
}

#[tokio::test]
async fn every_call_bears_one_token() {
    let google = Fake::start(HOUR).expect("a fake");
    let service = service(&google);
    let client = client(&service, machine(&google, &service.url(), None), 0);
    client.upload(&app(), profile(), None).await.expect("uploaded");
    assert!(client.list().await.expect("listed").profiles.is_empty());
    client.delete(&app()).await.expect("deleted");
    // One that is too large for a request has tickets, the PUT of which is for the API itself.
    let large = client.upload(&app(), vec![7; 5 << 20], None).await.expect_err("no profile");
    assert_eq!(large.kind(), Kind::Invalid);
    let given = google.given();
    assert_eq!(given.len(), 1, "one token is enough");
    let seen = service.seen();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|headers| headers["authorization"] == format!("Bearer {}", given[0])));
    assert!(seen.iter().all(|headers| !headers.contains_key("x-serverless-authorization")));
}

#[tokio::test]
async fn the_apis_own_token_keeps_its_place() {
    let google = Fake::start(HOUR).expect("a fake");
    let service = service(&google);
    let identity = machine(&google, &service.url(), Some("Bearer ours"));
    client(&service, identity, 0).list().await.expect("listed");
    // The same by a header, which may be of any scheme.
    let mut headers = Headers::default();
    headers.add("Authorization: Basic ours").expect("a header");
    let identity = machine(&google, &service.url(), None);
    let options = Options { identity, headers, ..patient(0) };
    Client::new(&service.url(), options).expect("a client").list().await.expect("listed");
    let seen = service.seen();
    for (headers, ours, token) in
        [(&seen[0], "Bearer ours", &google.given()[0]), (&seen[1], "Basic ours", &google.given()[1])]
    {
        assert_eq!(headers["authorization"], ours);
        assert_eq!(headers["x-serverless-authorization"], format!("Bearer {token}"));
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    // Renewed four minutes before: two seconds after it was made.
    let google = Fake::start(Duration::from_secs(242)).expect("a fake");
    let service = service(&google);
    let client = client(&service, machine(&google, &service.url(), None), 0);
    let start = Instant::now();
    while google.given().len() < 2 {
        assert!(start.elapsed() < PATIENCE, "not renewed within {PATIENCE:?}");
        client.list().await.expect("listed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    google.lasting(HOUR);
    let given = google.given();
    client.list().await.expect("listed");
    let last = service.seen().pop().expect("one")["authorization"].clone();
    assert!(given[1..].iter().any(|token| last == format!("Bearer {token}")), "the old one");
}

#[tokio::test]
async fn no_token_has_its_reason() {
    let google = Fake::start(HOUR).expect("a fake");
    let service = service(&google);
    // For somebody else.
    let identity = machine(&google, "https://other.example.com", None);
    let error = client(&service, identity, 60).list().await.expect_err("refused");
    assert_eq!(error.kind(), Kind::Denied);
    let says = "answered 401 Unauthorized (401 Unauthorized); the identity needs roles/run.invoker";
    assert!(error.what().contains(says), "{error}");
    // Over its time.
    google.lasting(Duration::ZERO);
    let error = client(&service, machine(&google, &service.url(), None), 60).list().await;
    assert_eq!(error.expect_err("refused").kind(), Kind::Denied);
    google.lasting(HOUR);
    // Nobody there: nothing has gone out, so that is tried for as long as a server that is not there.
    google.be_busy(1000);
    let error = client(&service, machine(&google, &service.url(), None), 0).list().await.expect_err("none");
    assert_eq!(error.kind(), Kind::Unavailable);
    let says = "listing profiles: asking Google for an identity token: none could be had now";
    assert!(error.what().starts_with(says), "{error}");
    assert!(service.seen().is_empty());
}
