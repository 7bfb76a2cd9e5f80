//! The ledger of a base as merges write it: an id leaves it only when nothing can bring its upload back.

use std::borrow::Cow;
use std::time::Duration;

use autopgo_core::app::App;
use autopgo_core::error::Kind;
use autopgo_core::key::{Id, Key};
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::{Blobs, When};
use autopgo_pprof::Profile;

use super::house::store::Op;
use super::house::{House, app, handed_back};

const MINUTE: Duration = Duration::from_secs(60);

/// `count` uploads that are merged, of which only those at `left` are still staged.
async fn merged(count: usize, left: &[usize]) -> (House, App, Vec<Id>) {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.upload_many(&app, count).await;
    assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
    for (at, id) in ids.iter().enumerate() {
        if !left.contains(&at) {
            house.host.store.unstage(&app, id).await.expect("removed");
        }
    }
    (house, app, ids)
}

/// Merges one upload more, and gives the ledger without it.
async fn after_one_more(house: &House, app: &App) -> Vec<Id> {
    let more = house.upload_many(app, 1).await;
    house.blobs.forget();
    assert!(handed_back(&house.handle_uploads(app, &more).await).is_empty());
    house.host.store.unstage(app, &more[0]).await.expect("removed");
    let (_, mut ledger) = house.base(app).await;
    assert!(ledger.decided.remove(&more[0]));
    ledger.decided.into_iter().collect()
}

#[tokio::test]
async fn an_id_leaves_after_the_grace_time_once_its_staged_object_is_gone() {
    // Few old ids are looked up one by one, many are listed: the first and the last of them too.
    for (count, left, looked_up, listed) in
        [(4, vec![0, 2], 4, 0), (15, vec![14], 15, 0), (16, vec![0, 7, 15], 0, 1), (24, vec![23], 0, 1)]
    {
        let (house, app, ids) = merged(count, &left).await;
        house.clock.turn(39 * MINUTE);
        assert_eq!(after_one_more(&house, &app).await, ids, "within the grace time");
        assert_eq!((house.blobs.calls(Op::Stat, "staging"), house.blobs.calls(Op::List, "staging")), (0, 0));

        house.clock.turn(61 * Duration::from_secs(1));
        let kept: Vec<Id> = left.iter().map(|at| ids[*at].clone()).collect();
        let mut ledger = after_one_more(&house, &app).await;
        // The upload of before is young.
        ledger.pop();
        assert_eq!(ledger, kept, "{count}");
        let calls = (house.blobs.calls(Op::Stat, "staging"), house.blobs.calls(Op::List, "staging"));
        assert_eq!(calls, (looked_up, listed));

        // Merged once, however late a message comes.
        let weight = house.weight(&app).await;
        assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
        assert_eq!(house.weight(&app).await, weight);
        for id in &kept {
            house.host.store.unstage(&app, id).await.expect("removed");
        }
        assert_eq!(after_one_more(&house, &app).await.len(), 2, "only the young ones");
    }
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_not_gone() {
    for (count, op) in [(4, Op::Stat), (20, Op::List)] {
        for kind in [Kind::Unavailable, Kind::Denied, Kind::NotFound] {
            let (house, app, ids) = merged(count, &[1]).await;
            house.clock.turn(41 * MINUTE);
            let more = house.upload_many(&app, 1).await;
            house.blobs.fail(op, "staging", 1, kind);
            assert_eq!(handed_back(&house.handle_uploads(&app, &more).await), [0], "{op:?}, {kind:?}");
            let (_, ledger) = house.base(&app).await;
            assert_eq!(ledger.decided.into_iter().collect::<Vec<_>>(), ids);
            assert!(handed_back(&house.handle_uploads(&app, &more).await).is_empty());
            let (_, ledger) = house.base(&app).await;
            assert_eq!(ledger.decided.into_iter().collect::<Vec<_>>(), [ids[1].clone(), more[0].clone()]);
        }
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_stops_merging_until_it_can() {
    let (house, app, ids) = merged(3, &[1]).await;
    let (key, limits) = (Key::base(&app).to_string(), Limits::default().base());
    let good = house.blobs.read(&key, u64::MAX).await.expect("read").expect("a base").bytes;
    let mut profile = Profile::parse(&good, &limits).expect("a profile");
    let decided = "autopgo:decided:";
    let damaged = |comment: Cow<'_, str>| comment.replace(decided, &format!("{decided}!"));
    let comments: Vec<String> = profile.comments().map(damaged).collect();
    profile.set_comments(comments);
    house.blobs.write(&key, profile.write().into(), When::Always).await.expect("written");

    let more = house.upload_many(&app, 1).await;
    assert_eq!(handed_back(&house.handle_uploads(&app, &more).await), [0]);
    assert!(house.host.store.staged_ids(&app).await.expect("listed").contains(&more[0]), "it waits");

    house.blobs.write(&key, good, When::Always).await.expect("written");
    let weight = house.weight(&app).await;
    // The one whose staged object is still there is not merged again.
    let again = [ids[1].clone(), more[0].clone()];
    assert!(handed_back(&house.handle_uploads(&app, &again).await).is_empty());
    assert_eq!(house.weight(&app).await, weight + 1);
}
