//! Every shape of a push, and what is none.

use autopgo_fakes::push::Shape;

use crate::rig::{Store, Uploads, push_to, said, start, stop};

#[tokio::test]
async fn every_shape_is_merged_and_acknowledged() {
    let store = Store::folder();
    let (mut uploads, worker) = (Uploads::on(&store).await, start("worker", &store).await);
    for (shape, ordered, counted) in [
        (Shape::Wrapped, false, None),
        (Shape::Wrapped, true, Some(5)),
        (Shape::Unwrapped { metadata: false }, false, None),
        (Shape::Unwrapped { metadata: true }, true, None),
        (Shape::Eventarc, false, None),
    ] {
        let push = push_to(&worker, |setup| {
            (setup.shape, setup.ordered, setup.deliveries) = (shape, ordered, counted);
        });
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(push.publish(uploads.next().await, "story"));
        }
        uploads.are_merged_once_by(&push).await;
        let deliveries = push.deliveries();
        assert!(deliveries.iter().all(|delivery| delivery.answer == Some(204)), "{shape:?}: {deliveries:?}");
        if ordered {
            let order: Vec<_> = deliveries.into_iter().map(|delivery| delivery.id).collect();
            assert_eq!(order, ids, "one at a time");
        }
    }
    let log = stop(worker).await;
    assert_eq!(said(&log, "a message was dropped"), 0);
    uploads.stop().await;
}

#[tokio::test]
async fn what_is_no_event_is_acknowledged_alone() {
    let store = Store::folder();
    let (mut uploads, worker) = (Uploads::on(&store).await, start("worker", &store).await);
    for shape in [Shape::Wrapped, Shape::Unwrapped { metadata: true }, Shape::Eventarc] {
        let push = push_to(&worker, |setup| setup.shape = shape);
        for poison in ["", "hello", r#"{"type":"profile.uploaded"}"#, r#"{"message":{"data":"aGVsbG8="}}"#] {
            push.publish(uploads.next().await, "");
            push.publish(poison, "");
        }
        uploads.are_merged_once_by(&push).await;
        let deliveries = push.deliveries();
        assert_eq!(deliveries.len(), 8, "nothing comes twice: {deliveries:?}");
        assert!(deliveries.iter().all(|delivery| delivery.answer == Some(204)), "{shape:?}: {deliveries:?}");
    }
    let log = stop(worker).await;
    assert_eq!(said(&log, "a message was dropped"), 12, "{log:#?}");
    uploads.stop().await;
}
