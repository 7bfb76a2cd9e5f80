use std::sync::Arc;

use super::*;

fn push(inbox: &Arc<Inbox>, body: &'static str) -> tokio::task::JoinHandle<Answer> {
    let inbox = Arc::clone(inbox);
    tokio::spawn(async move { inbox.settled(Bytes::from_static(body.as_bytes())).await })
}

async fn waiting(inbox: &Inbox, count: usize) {
    while inbox.state().waiting.len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_request_is_answered_as_its_message_is_settled() {
    let inbox = Arc::<Inbox>::default();
    let receiving = tokio::spawn({
        let inbox = Arc::clone(&inbox);
        async move { inbox.receive(1).await }
    });
    let first = push(&inbox, "a");
    let a = receiving.await.expect("no panic").expect("never fails").remove(0);
    let (second, third) = (push(&inbox, "b"), push(&inbox, "b"));
    waiting(&inbox, 2).await;
    let rest = inbox.receive(9).await.expect("never fails");
    assert_eq!((&a.body[..], rest.len()), (&b"a"[..], 2));
    inbox.nack(&rest[0]).await.expect("never fails");
    inbox.ack(&a).await.expect("never fails");
    inbox.ack(&rest[1]).await.expect("never fails");
    inbox.nack(&a).await.expect("a second time is harmless");
    assert_eq!(first.await.expect("answered"), Answer::Done);
    let both = [second.await.expect("answered"), third.await.expect("answered")];
    assert!(both.contains(&Answer::Done) && both.contains(&Answer::HandBack), "{both:?}");
}

#[tokio::test]
async fn a_request_that_is_given_up_takes_its_message_back_if_nobody_has_it() {
    let inbox = Arc::<Inbox>::default();
    let (gone, stays) = (push(&inbox, "gone"), push(&inbox, "stays"));
    waiting(&inbox, 2).await;
    gone.abort();
    assert!(gone.await.is_err());
    let given = inbox.receive(9).await.expect("never fails");
    assert_eq!(given.iter().map(|delivery| &delivery.body[..]).collect::<Vec<_>>(), [b"stays"]);
    stays.abort();
    inbox.ack(&given[0]).await.expect("nobody waits, which is no error");
}

#[tokio::test]
async fn what_is_there_at_the_end_is_handed_back_and_so_is_what_comes_after() {
    let inbox = Arc::<Inbox>::default();
    let given = push(&inbox, "given");
    waiting(&inbox, 1).await;
    inbox.receive(1).await.expect("never fails");
    let left = push(&inbox, "left");
    waiting(&inbox, 1).await;
    inbox.close().await;
    for answer in [given, left, push(&inbox, "late")] {
        assert_eq!(answer.await.expect("answered"), Answer::HandBack);
    }
}

#[tokio::test]
async fn who_loses_the_worker_is_handed_back_and_others_go_on() {
    let inbox = Arc::<Inbox>::default();
    let lost = push(&inbox, "lost");
    waiting(&inbox, 1).await;
    inbox.receive(1).await.expect("never fails");
    let next = push(&inbox, "next");
    waiting(&inbox, 1).await;
    inbox.hand_back();
    assert_eq!(lost.await.expect("answered"), Answer::HandBack);
    let given = inbox.receive(1).await.expect("never fails");
    inbox.ack(&given[0]).await.expect("never fails");
    assert_eq!(next.await.expect("answered"), Answer::Done);
}
