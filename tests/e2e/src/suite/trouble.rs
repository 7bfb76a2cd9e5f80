//! A store that is away while the worker needs it: the message comes again, and the upload is merged because of it, once.

use std::collections::BTreeSet;

use super::{Shelf, Stage};
use crate::once::{merged, name, upload};
use crate::wait;

const APP: &str = "trouble";

pub(super) async fn perform(stage: &Stage) {
    let answered = match &stage.shelf {
        Shelf::Folder(folder) => {
            // A store in a folder follows no link, so that this base can be neither read nor written.
            let base = folder.join(APP).join("default.pgo");
            std::fs::create_dir_all(folder.join(APP)).expect("a folder");
            std::os::unix::fs::symlink("/nowhere", &base).expect("a link");
            let sent = upload(&stage.client, &stage.profile(APP), name(0)).await.expect("taken");
            handed_back(stage).await;
            std::fs::remove_file(&base).expect("removed");
            sent
        }
        #[cfg(feature = "services")]
        Shelf::Bucket { cable, .. } => {
            use autopgo_conformance::bus::Broker as _;
            let wire = stage.wire.as_ref().expect("a bus outside");
            if !wire.redelivers {
                // Core NATS forgets a message when it hands it over.
                return;
            }
            let key = super::shelf::staged(APP);
            stage.shelf.put(&key, &crate::profile::cpu(&[("main.main", &name(0), 1)])).await;
            cable.stop().await.expect("cut");
            wire.announce(APP, &key).await;
            handed_back(stage).await;
            cable.start().await.expect("connected again");
            name(0)
        }
    };
    let staging = format!("{APP}/staging/");
    let answered = BTreeSet::from([answered]);
    let left = async || stage.shelf.keys(&staging).await.len();
    assert_eq!(merged(&stage.client, &stage.profile(APP), &answered, left).await, 1);
    assert_eq!((stage.merged(APP, "message"), stage.merged(APP, "sweep")), (1, 0), "the message brought it");
}

/// Waits until the worker has given up on a message at least once.
async fn handed_back(stage: &Stage) {
    wait::until("the worker hands it back", async || {
        stage.lines("a message is handed back").iter().any(|line| line["app"] == APP).then_some(())
    })
    .await;
}
