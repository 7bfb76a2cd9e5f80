//! A handler that dies at work, a store that is away, and what is left when both are over.

use std::collections::BTreeSet;

use autopgo_conformance::brokers::Cable;
use autopgo_conformance::bus::Broker;
use autopgo_e2e::azurite::Container;
use autopgo_e2e::{once, wait};
use autopgo_fakes::functions_host::Invoked;
use futures_util::{StreamExt, stream};

use crate::rig::Rig;

const AT_ONCE: usize = 6;
/// How many are sent before, and while, the handler is killed.
const SHARE: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_killed_at_work_loses_nothing_and_merges_nothing_twice() {
    let Some(mut rig) = Rig::new(|setup| setup).await else { return };
    rig.listen();
    let url = rig.profile("checkout");
    let send = |numbers: std::ops::Range<usize>| {
        let sent = stream::iter(numbers).map(|number| once::upload(&rig.client, &url, once::name(number)));
        async {
            sent.buffer_unordered(AT_ONCE).filter_map(async |name| name).collect::<BTreeSet<String>>().await
        }
    };
    let mut answered = send(0..SHARE).await;
    assert_eq!(answered.len(), SHARE);
    // With uploads, messages and merges under way.
    let killing = async {
        let before = rig.written("message");
        wait::until("it is at work", async || (rig.written("message") > before).then_some(())).await;
        rig.host.kill_handler().await.expect("killed");
    };
    let (more, ()) = tokio::join!(send(SHARE..2 * SHARE), killing);
    answered.extend(more);
    wait::until("the host has started it again", async || {
        rig.client.get(format!("{}/api/ready", rig.url())).send().await.ok()?.error_for_status().ok()
    })
    .await;
    // How many of those in between were answered is as it comes; these are again.
    let again = send(2 * SHARE..3 * SHARE).await;
    assert_eq!(again.len(), SHARE);
    answered.extend(again);

    // Where the handler is gone and the host has not seen it yet, a message is told again at once: some may be dead letters.
    let dead = rig.settled().await;
    // They, and what was written and not told of, because its server died in between, are for the timer.
    let sweep = async || rig.host.tick("sweep").await.expect("a timer");
    wait::until("all is swept", async || {
        sweep().await;
        (rig.staged("checkout").await == 0).then_some(())
    })
    .await;
    let merged = once::merged(&rig.client, &url, &answered, async || rig.staged("checkout").await).await;
    println!("{} answered, {merged} merged of {}, {dead} dead letters", answered.len(), 3 * SHARE);
    let untold = merged - answered.len();
    assert!(rig.written("sweep") <= (dead + untold) as u64, "messages that were not handled");
    assert_eq!(rig.host.starts(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_cannot_be_handled_end_as_dead_letters_and_the_timer_does_their_work() {
    let Some(container) = Container::new().await else { return };
    let cable = Cable::to(container.address().parse().expect("IP:PORT")).await.expect("a port");
    let store = container.url_by(&cable.address().to_string());
    let mut rig = Rig::over(container, &store, |setup| setup).await;
    let name = once::name(1);
    assert!(once::upload(&rig.client, &rig.profile("checkout"), name.clone()).await.is_some());
    cable.stop().await.expect("cut");
    assert!(once::upload(&rig.client, &rig.profile("checkout"), once::name(2)).await.is_none());
    let Invoked::Failed(why) = rig.host.tick("sweep").await.expect("a timer") else { panic!("no store") };
    assert!(why.contains("500"), "{why}");
    rig.listen();
    assert_eq!(rig.settled().await, 1);
    assert_eq!(rig.written("message"), 0);

    cable.start().await.expect("connected");
    wait::until("it is swept", async || {
        let Invoked::Done(_) = rig.host.tick("sweep").await.expect("a timer") else { return None };
        (rig.written("sweep") == 1).then_some(())
    })
    .await;
    let (names, url) = (BTreeSet::from([name]), rig.profile("checkout"));
    let merged = once::merged(&rig.client, &url, &names, async || rig.staged("checkout").await).await;
    assert_eq!(merged, 1);
    assert_eq!(rig.host.starts(), 1);
}
