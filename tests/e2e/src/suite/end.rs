//! A stop in the middle of it all: what was answered is in its base once, by this process or the next.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};

use super::Stage;
use crate::once::{merged, name, upload};
use crate::wait;

const APP: &str = "ended";
const AT_ONCE: usize = 8;

pub(super) async fn perform(mut stage: Stage) {
    let (client, url) = (stage.client.clone(), stage.profile(APP));
    let stopped = AtomicBool::new(false);
    let answered = tokio::sync::Mutex::new(BTreeSet::new());
    let uploading = async {
        // Some of these come too late, and are not answered.
        let sent = stream::iter(0..).take_while(|_| {
            let go_on = !stopped.load(Ordering::SeqCst);
            async move { go_on }
        });
        let sent = sent.map(|number| upload(&client, &url, name(number))).buffer_unordered(AT_ONCE);
        sent.for_each(|sent| async { answered.lock().await.extend(sent) }).await;
    };
    let stopping = async {
        wait::until("it is busy", async || (answered.lock().await.len() >= 2 * AT_ONCE).then_some(())).await;
        let log = stage.stop().await;
        stopped.store(true, Ordering::SeqCst);
        log
    };
    let ((), log) = tokio::join!(uploading, stopping);
    assert!(!log.iter().any(|line| line.contains("panic")), "{log:#?}");
    stage.start_again().await;
    let (answered, staging) = (answered.into_inner(), format!("{APP}/staging/"));
    let left = async || stage.shelf.keys(&staging).await.len();
    // One may have been staged and not answered any more.
    assert!(merged(&client, &url, &answered, left).await >= answered.len());
    stage.stop().await;
}
