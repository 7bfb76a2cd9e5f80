//! Tickets: an upload that goes straight into the store is one upload, however often and whenever it is completed.

use std::time::Duration;

use autopgo_core::api::Ticket;
use autopgo_core::app::App;
use autopgo_core::clock::{Clock, since};
use autopgo_core::error::{Kind, Result};
use autopgo_core::key::{Id, Key};
use autopgo_core::limits::Limits;
use autopgo_core::worker::Swept;
use bytes::Bytes;

use super::house::profile::{calls, wall_calls};
use super::house::store::Op;
use super::house::{House, app};

const MINUTE: Duration = Duration::from_secs(60);

async fn ticket(house: &House, app: &App, size: usize) -> Ticket {
    house.server.ticket(app, size as u64, None).await.expect("asked").expect("a store that signs")
}

/// A ticket for `body`, which is put as a client would.
async fn put_with_ticket(house: &House, app: &App, body: Bytes) -> Id {
    let ticket = ticket(house, app, body.len()).await;
    house.blobs.put(&ticket.key, body);
    Id::parse(&ticket.id).expect("an id")
}

/// Completes, and gives the key as a text.
async fn complete(house: &House, app: &App, id: &Id) -> Result<String> {
    Ok(house.server.complete(app, id).await?.to_string())
}

#[tokio::test]
async fn a_ticket_says_where_what_and_until_when() {
    let (house, app) = (House::new(), app("hello"));
    let key = house.idempotency_key();
    house.clock.turn(4 * MINUTE);
    let ticket = house.server.ticket(&app, 7, Some(&key)).await.expect("asked").expect("signed");
    let id = Id::parse(&ticket.id).expect("an id");
    assert_eq!(id, Id::from_idempotency_key(&key, &*house.clock, 5 * MINUTE).expect("the same"));
    assert_eq!(ticket.key, format!("hello/incoming/{id}"));
    assert_eq!(ticket.url, format!("store:/{}", ticket.key));
    assert_eq!((ticket.method.as_str(), ticket.headers["x-method"].as_str()), ("PUT", "PUT 7"));
    // Fifteen minutes from the time of the id, of which four are over.
    assert_eq!(since(house.clock.now(), ticket.expires), 11 * MINUTE);
    assert!(house.keys().await.is_empty(), "nothing is stored for a ticket");

    house.clock.turn(2 * MINUTE);
    let error = house.server.ticket(&app, 7, Some(&key)).await.expect_err("the key is too old");
    assert_eq!(error.kind(), Kind::Invalid);
}

#[tokio::test]
async fn a_ticket_is_for_so_many_bytes_and_no_more() {
    let (house, app) = (House::limited(Limits { ticket_bytes: 100, ..Limits::default() }), app("hello"));
    assert_eq!(ticket(&house, &app, 100).await.headers["x-method"], "PUT 100");
    for (size, kind) in [(101, Kind::TooLarge), (0, Kind::Invalid)] {
        let error = house.server.ticket(&app, size, None).await.expect_err("refused");
        assert_eq!(error.kind(), kind, "{error}");
    }
    house.blobs.sign_nothing();
    assert_eq!(house.server.ticket(&app, 100, None).await.expect("asked"), None);
}

#[tokio::test]
async fn completing_stages_tells_the_worker_and_leaves_nothing_behind() {
    let (house, app) = (House::new(), app("hello"));
    let id = put_with_ticket(&house, &app, calls(&["f"])).await;
    let staged = Key::staged(&app, &id).to_string();
    for _ in 0..2 {
        assert_eq!(complete(&house, &app, &id).await.expect("completed"), staged);
        assert_eq!(house.keys().await, [staged.as_str()]);
    }
    assert_eq!(house.blobs.calls(Op::Write, "staging"), 1);
    house.settle().await;
    assert_eq!(house.weight(&app).await, 1);
    // The staged object is gone too: the ledger knows.
    assert_eq!(house.keys().await, ["hello/default.pgo"]);
    assert_eq!(complete(&house, &app, &id).await.expect("completed again"), staged);
    assert_eq!(house.keys().await, ["hello/default.pgo"]);
    assert!(house.receive().await.is_empty(), "there is nothing to tell of");
}

#[tokio::test]
async fn what_was_never_put_cannot_be_completed() {
    let (house, app) = (House::new(), app("hello"));
    house.upload(&app, calls(&["f"])).await;
    house.settle().await;
    let ticket = ticket(&house, &app, 7).await;
    let error = complete(&house, &app, &Id::parse(&ticket.id).expect("an id")).await.expect_err("nothing");
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.what().contains("nothing was put with the ticket"), "{error}");
}

#[tokio::test]
async fn an_expired_ticket_is_none() {
    let (house, app) = (House::new(), app("hello"));
    let id = put_with_ticket(&house, &app, calls(&["f"])).await;
    house.clock.turn(15 * MINUTE - Duration::from_nanos(1));
    complete(&house, &app, &id).await.expect("in the last moment");
    let late = put_with_ticket(&house, &app, calls(&["g"])).await;
    house.clock.turn(15 * MINUTE);
    let error = complete(&house, &app, &late).await.expect_err("too late");
    assert!(error.kind() == Kind::NotFound && error.what().contains("has expired"), "{error}");

    // One that ends while it is completed is not staged either: the ledger could forget it before that lands.
    let slow = put_with_ticket(&house, &app, calls(&["h"])).await;
    house.clock.turn(14 * MINUTE);
    let clock = house.clock.clone();
    house.blobs.before(Op::Read, "incoming", 1, move |_| clock.turn(MINUTE));
    let error = complete(&house, &app, &slow).await.expect_err("it took too long");
    assert!(error.kind() == Kind::NotFound && error.what().contains("has expired"), "{error}");
    assert_eq!(house.staged(&app).await, [id]);
}

#[tokio::test]
async fn what_is_unusable_is_refused_as_a_plain_upload_is_and_goes() {
    let limits = Limits { ticket_bytes: 10_000, upload_raw_bytes: 20_000, functions: 4, ..Limits::default() };
    let (house, app) = (House::limited(limits), app("hello"));
    let bomb = autopgo_pprof::gzip::deflate(&[0; 20_001]);
    for (body, kind) in [
        (Bytes::from_static(b"no profile"), Kind::Unusable),
        (calls(&["a", "b", "c", "d"]), Kind::TooLarge),
        (bomb.into(), Kind::TooLarge),
    ] {
        let plain = house.server.upload(&app, body.clone(), None).await.expect_err("refused");
        let id = put_with_ticket(&house, &app, body).await;
        let error = complete(&house, &app, &id).await.expect_err("refused");
        assert_eq!((error.kind(), error.what()), (kind, plain.what()));
        assert!(house.keys().await.is_empty(), "{:?}", house.keys().await);
        assert_eq!(complete(&house, &app, &id).await.expect_err("gone").kind(), Kind::NotFound);
    }
    // A store that did not keep to the size.
    let id = Id::parse(&ticket(&house, &app, 10_000).await.id).expect("an id");
    house.blobs.put(&Key::incoming(&app, &id).to_string(), vec![7; 10_001]);
    let error = complete(&house, &app, &id).await.expect_err("too large");
    assert!(error.kind() == Kind::TooLarge && error.what().contains("AUTOPGO_MAX_TICKET_BYTES"), "{error}");
    assert!(house.keys().await.is_empty());
}

#[tokio::test]
async fn broken_off_anywhere_it_can_be_completed_again() {
    for (op, part) in
        [(Op::Read, "incoming"), (Op::Write, "staging"), (Op::Delete, "incoming"), (Op::Stat, "staging")]
    {
        let (house, app) = (House::new(), app("hello"));
        let id = put_with_ticket(&house, &app, calls(&["f"])).await;
        house.blobs.fail(op, part, 1, Kind::Unavailable);
        let first = complete(&house, &app, &id).await;
        // That what is left in `incoming/` cannot be removed is nothing to the client.
        let fine = matches!((op, part), (Op::Delete, _) | (Op::Stat, _));
        assert_eq!(first.is_ok(), fine, "{op:?} {part}: {first:?}");
        if let Err(error) = first {
            assert_eq!(error.kind(), Kind::Unavailable);
        }
        house.blobs.heal();
        complete(&house, &app, &id).await.expect("completed");
        house.settle().await;
        assert_eq!(house.weight(&app).await, 1);
        assert_eq!(house.keys().await, ["hello/default.pgo"]);
    }
    // Staged, and the answer lost.
    let (house, app) = (House::new(), app("hello"));
    let id = put_with_ticket(&house, &app, calls(&["f"])).await;
    house.blobs.lose_answers("staging", 1, Kind::Unavailable);
    complete(&house, &app, &id).await.expect_err("lost");
    complete(&house, &app, &id).await.expect("completed");
    house.settle().await;
    assert_eq!(house.weight(&app).await, 1);
}

#[tokio::test]
async fn completed_at_once_by_two_it_is_one_upload() {
    let (house, app) = (House::new(), app("hello"));
    let id = put_with_ticket(&house, &app, calls(&["f"])).await;
    // While the second is about to stage, the first has staged, and its upload is merged and settled.
    let body = calls(&["f"]);
    complete(&house, &app, &id).await.expect("the first");
    house.settle().await;
    house.blobs.put(&Key::incoming(&app, &id).to_string(), body);
    complete(&house, &app, &id).await.expect("the second");
    assert_eq!(house.staged(&app).await.len(), 1);
    house.settle().await;
    assert_eq!(house.sweep().await, Swept::default());
    assert_eq!(house.weight(&app).await, 1);
    assert!(house.staged(&app).await.is_empty());
}

#[tokio::test]
async fn one_that_left_staging_while_it_was_looked_for_is_found() {
    let (house, app) = (House::new(), app("hello"));
    house.upload(&app, calls(&["f"])).await;
    house.settle().await;
    for (name, body) in [("merged", calls(&["g"])), ("set aside", wall_calls(&["g"]))] {
        let id = put_with_ticket(&house, &app, body).await;
        complete(&house, &app, &id).await.expect("completed");
        house.settle().await;
        assert!(house.staged(&app).await.is_empty());
        complete(&house, &app, &id).await.expect(name);
    }
    assert_eq!(house.rejected(&app).await.len(), 1);
}

#[tokio::test]
async fn a_deletion_takes_what_was_completed_and_leaves_what_was_not() {
    let (house, app) = (House::new(), app("hello"));
    let before = put_with_ticket(&house, &app, calls(&["f"])).await;
    complete(&house, &app, &before).await.expect("completed");
    let after = put_with_ticket(&house, &app, calls(&["g"])).await;
    house.server.delete(&app).await.expect("deleted");
    // Sent again, it stays erased.
    house.blobs.put(&Key::incoming(&app, &before).to_string(), calls(&["f"]));
    for id in [&before, &before, &after] {
        complete(&house, &app, id).await.expect("completed");
    }
    house.settle().await;
    let (base, ledger) = house.base(&app).await;
    assert_eq!((base.totals()[0], base.function_count()), (1, 2));
    assert!(ledger.decided.contains(&before) && ledger.decided.contains(&after));
    assert!(house.staged(&app).await.is_empty());
}

#[tokio::test]
async fn a_plain_upload_and_a_ticket_of_one_key_are_one_upload() {
    let (house, app) = (House::new(), app("hello"));
    let (key, body) = (house.idempotency_key(), calls(&["f"]));
    house.server.upload(&app, body.clone(), Some(&key)).await.expect("staged");
    house.settle().await;
    let ticket = house.server.ticket(&app, body.len() as u64, Some(&key)).await.expect("asked");
    let ticket = ticket.expect("signed");
    house.blobs.put(&ticket.key, body);
    complete(&house, &app, &Id::parse(&ticket.id).expect("an id")).await.expect("completed");
    house.settle().await;
    assert_eq!(house.weight(&app).await, 1);
}
