//! How a process begins and ends.

use std::time::{Duration, Instant};

use autopgo_e2e::process::{Running, call};
use autopgo_e2e::{profile, slow, wait};
use serde_json::Value;

use crate::rig::{Store, Uploads, push_to, service, start};

/// Cloud Run kills a process that is still there by then.
const GIVEN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_finished_in_time_is_handed_back() {
    let store = Store::google();
    let uploads = Uploads::on(&store).await;
    // Some 400 KB, at 20 KB a second: longer than there is.
    let way = slow::line_to(store.address(), 20 << 10).await;
    let (command, address) = service("worker", &store, Some(way));
    let worker = Running::start(command, address).await;
    let push = push_to(&worker, |setup| {
        setup.ack_deadline = Duration::from_secs(60);
        // Once is enough to see the answer.
        setup.deliveries = Some(1);
    });
    let (large, expected) = profile::large(4000);
    let event = uploads.of(large).await;
    push.publish(event.clone(), "");
    wait::until("the push is under way", async || (push.under_way() == 1).then_some(())).await;
    let asked = Instant::now();
    let (code, log) = worker.stop().await;
    let took = asked.elapsed();
    assert_eq!(code, Some(0), "{log:#?}");
    assert!(took < GIVEN, "{took:?}: {log:#?}");
    wait::until("it is answered", async || (push.outstanding() == 0).then_some(())).await;
    let answer = push.deliveries()[0].answer;
    assert!(matches!(answer, Some(503) | None), "it was not done, and not said to be: {answer:?}");

    let next = start("worker", &store).await;
    let again = push_to(&next, |_| {});
    again.publish(event, "");
    wait::until("it is merged", async || (again.outstanding() == 0).then_some(())).await;
    assert_eq!(profile::seen(&uploads.base().await.expect("a base"), "upload."), expected);
    assert_eq!(next.stop().await.0, Some(0));
    uploads.stop().await;
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why_and_how_google_reads_it() {
    let program = env!("CARGO_BIN_EXE_autopgo-cloudrun");
    let store = ("AUTOPGO_BLOB_STORE_URL", "mem://a");
    let bus = ("AUTOPGO_EVENT_WRITER_URL", "mem://b");
    for (arguments, variables, says) in [
        (&[][..], &[store, bus][..], "autopgo-cloudrun server, or autopgo-cloudrun worker"),
        (&["both"], &[store, bus], "autopgo-cloudrun server, or autopgo-cloudrun worker"),
        (&["server"], &[bus], "AUTOPGO_BLOB_STORE_URL"),
        (&["worker"], &[store], "AUTOPGO_EVENT_WRITER_URL"),
        (&["server"], &[store, bus, ("PORT", "http")], "PORT="),
        (&["server"], &[store, bus, ("AUTOPGO_LOG_LEVEL", "loud")], "no log level"),
        (&["worker"], &[("AUTOPGO_BLOB_STORE_URL", "ftp://bucket"), bus], "ftp"),
    ] {
        let mut command = call(program, arguments);
        command.env_remove("PORT").env("K_SERVICE", "worker").envs(variables.iter().copied());
        let output = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr);
        let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!(last["severity"], "ERROR", "{text}");
        let error = last["error"].as_str().expect("a text");
        assert!(error.contains(says), "{says}: {text}");
        assert_eq!(output.status.code(), Some(2), "{text}");
    }
}
