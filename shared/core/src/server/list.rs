//! The list of all base profiles.

use futures_util::{StreamExt, TryStreamExt, stream};

use autopgo_pprof::has_samples;

use super::Server;
use super::download::our_state;
use crate::api::Listed;
use crate::app::App;
use crate::error::Result;
use crate::key::Place;
use crate::store::walk::Step;

/// Only an object below this size can be the empty base of a deleted application, but for a ledger that is yet to
/// shrink: no other needs to be opened to list it.
pub(crate) const SMALL: u64 = 4096;
/// How many small objects are opened at once.
const AT_ONCE: usize = 16;

impl Server {
    /// Every application that has a base profile, by name.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        let visit = |key: crate::key::Key, entry: crate::port::blobs::Entry| {
            if key.place == Place::Base {
                listed.push(Listed { key: key.app, size: entry.size, last_modified: entry.modified });
            }
            Step::SkipApp
        };
        self.host.store.walk(visit).await?;
        let mut listed: Vec<Listed> = stream::iter(listed)
            .map(|line| async move {
                let there = line.size >= SMALL || self.is_profile(&line.key).await?;
                Ok::<_, crate::error::Error>(there.then_some(line))
            })
            .buffered(AT_ONCE)
            .try_filter_map(async |line| Ok(line))
            .try_collect()
            .await?;
        listed.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(listed)
    }

    async fn is_profile(&self, app: &App) -> Result<bool> {
        let read = self.host.store.base(app).await;
        let Some(object) = read.map_err(|error| our_state(app, error))? else { return Ok(false) };
        Ok(has_samples(&object.bytes, &self.host.limits.base()).unwrap_or(true))
    }
}
