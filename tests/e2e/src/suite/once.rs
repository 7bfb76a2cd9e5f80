//! Many at once: each upload is in its base once, and nothing is left over.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::Stage;
use crate::once::{merged, name, upload};

const APPS: [&str; 5] = ["once-a", "once-b", "once-c", "once-d", "once-e"];
const UPLOADS: usize = 30;
const AT_ONCE: usize = 8;

pub(super) async fn perform(stage: &Stage) {
    let numbers = (0..UPLOADS).flat_map(|number| APPS.map(|app| (app, number)));
    let sent = stream::iter(numbers).map(|(app, number)| async move {
        let sent = upload(&stage.client, &stage.profile(app), name(number)).await;
        (app, sent.unwrap_or_else(|| panic!("{app} {number} was not taken")))
    });
    let mut answered: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut sent = sent.buffer_unordered(AT_ONCE);
    while let Some((app, name)) = sent.next().await {
        answered.entry(app).or_default().insert(name);
    }
    for (app, names) in &answered {
        let staging = format!("{app}/staging/");
        let left = async || stage.shelf.keys(&staging).await.len();
        assert_eq!(merged(&stage.client, &stage.profile(app), names, left).await, UPLOADS, "{app}");
        assert!(stage.merged(app, "message") > 0, "no message brought any of {app}");
    }
}
