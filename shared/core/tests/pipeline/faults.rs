//! A store's own words about a request ("invalid", "not found", "too large") speak of ours, and never of a client's or
//! of a message: a client is not told that it was wrong, and no message is taken for done.

use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::{Kind, Result};
use autopgo_core::event::Event;
use autopgo_core::key::Id;

use super::house::profile::calls;
use super::house::store::Op;
use super::house::{House, app, handed_back};

/// What would be a 4xx.
const BLAMES: [Kind; 4] = [Kind::Invalid, Kind::NotFound, Kind::TooLarge, Kind::Unusable];

#[derive(Clone, Copy, Debug)]
enum Verb {
    Upload,
    List,
    Delete,
    Download(Form),
}

impl Verb {
    async fn ask(self, house: &House, app: &App) -> Result<()> {
        match self {
            Self::Upload => house.server.upload(app, calls(&["main.work"]), None).await.map(|_| ()),
            Self::List => house.server.list().await.map(|_| ()),
            Self::Delete => house.server.delete(app).await,
            Self::Download(form) => house.server.download(app, form, &|_| false).await.map(|_| ()),
        }
    }
}

/// Something of everything: a base, something set aside, and something staged.
fn furnished() -> (House, App) {
    let (house, app) = (House::new(), app("hello"));
    let furnish = async {
        house.upload_many(&app, 1).await;
        house.settle().await;
        let odd = house.stage_as_go(&app, "rubbish");
        assert!(house.handle_uploads(&app, &[odd]).await[0].is_done());
        house.upload_many(&app, 1).await;
    };
    house.clock.run(furnish);
    (house, app)
}

/// Every call to the store whose failure a client hears of.
const CALLS: [(Verb, Op, &str); 9] = [
    (Verb::Upload, Op::Write, "hello/staging/"),
    (Verb::List, Op::List, ""),
    (Verb::List, Op::Read, "hello/default.pgo"),
    (Verb::Delete, Op::List, "hello/staging/"),
    (Verb::Delete, Op::List, "hello/rejected/"),
    (Verb::Delete, Op::Read, "hello/default.pgo"),
    (Verb::Delete, Op::Write, "hello/default.pgo"),
    (Verb::Download(Form::Full), Op::Read, "hello/default.pgo"),
    (Verb::Download(Form::Compact), Op::Read, "hello/default.pgo"),
];

#[test]
fn what_may_pass_or_needs_other_credentials_is_told_as_it_is() {
    for (verb, op, part) in CALLS {
        for kind in [Kind::Denied, Kind::Unavailable, Kind::Internal] {
            let (house, app) = furnished();
            house.blobs.fail(op, part, usize::MAX, kind);
            let error = house.clock.run(verb.ask(&house, &app)).0.expect_err("the store fails");
            assert_eq!(error.kind(), kind, "{verb:?}, {op:?} of {part}");
        }
    }
}

#[test]
fn no_client_is_blamed_for_what_the_store_says() {
    let mut wrong = Vec::new();
    for (verb, op, part) in CALLS {
        for kind in BLAMES {
            let (house, app) = furnished();
            house.blobs.fail(op, part, usize::MAX, kind);
            let told = house.clock.run(verb.ask(&house, &app)).0.map_err(|error| error.kind());
            // One word of the store against another looks like a race, which is run again in vain.
            let raced = matches!((verb, op, kind), (Verb::Delete, Op::Read, Kind::TooLarge));
            let expected = if raced { Kind::Unavailable } else { Kind::Internal };
            if told != Err(expected) {
                wrong.push((verb, op, part, kind, told));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_message_is_done_because_of_what_the_store_says() {
    let uploaded = |app: &App, id: &Id| Event::Uploaded { app: app.clone(), id: id.clone() };
    let merged = |app: &App, id: &Id| Event::Merged { app: app.clone(), id: id.clone() };
    let deleted = |app: &App, _: &Id| Event::Deleted { app: app.clone(), cleared: false };
    let cleared = |app: &App, _: &Id| Event::Deleted { app: app.clone(), cleared: true };
    type Make<'a> = &'a dyn Fn(&App, &Id) -> Event;
    let calls: [(Make<'_>, Op, &str); 11] = [
        (&uploaded, Op::Read, "default.pgo"),
        (&uploaded, Op::Write, "default.pgo"),
        (&merged, Op::Delete, "staging"),
        (&deleted, Op::List, "staging"),
        (&deleted, Op::List, "rejected"),
        (&deleted, Op::Read, "default.pgo"),
        (&deleted, Op::Write, "default.pgo"),
        (&cleared, Op::List, "staging"),
        (&cleared, Op::Read, "default.pgo"),
        (&cleared, Op::Delete, "staging"),
        // What an upload is set aside with, once it turns out to be none.
        (&uploaded, Op::Copy, "staging"),
    ];
    for (event, op, part) in calls {
        for kind in BLAMES.into_iter().chain([Kind::Denied, Kind::Unavailable, Kind::Internal]) {
            let (house, app) = furnished();
            let staged = house.clock.run(house.staged(&app)).0.remove(0);
            let id = match op {
                Op::Copy => house.stage_as_go(&app, "rubbish"),
                // Merged, and not settled: what a deletion leaves behind.
                Op::Delete => {
                    house.clock.run(house.handle_uploads(&app, std::slice::from_ref(&staged)));
                    staged
                }
                _ => staged,
            };
            let event = event(&app, &id);
            let message = [house.body(event.clone())];
            house.blobs.fail(op, part, usize::MAX, kind);
            let outcomes = house.clock.run(house.worker.handle(&message)).0;
            assert_eq!(handed_back(&outcomes), [0], "{event:?}, {kind:?} for {op:?} of {part}");
            house.blobs.heal();
            let outcomes = house.clock.run(house.worker.handle(&message)).0;
            assert!(handed_back(&outcomes).is_empty(), "{event:?} again: {outcomes:?}");
        }
    }
}
