//! After a merge: staged objects whose upload is decided can go, at any time, any number of times.

use super::Worker;
use crate::app::App;
use crate::base;
use crate::error::Result;
use crate::key::Id;

impl Worker {
    /// The upload is in the base profile: its staged object goes.
    pub(super) async fn settle(&self, app: &App, id: &Id) -> Result<()> {
        self.host.store.unstage(app, id).await?;
        tracing::debug!(app = %app, profile.id = %id, "staged upload removed");
        Ok(())
    }

    /// Removes every staged object that the ledger of the base names: what a deletion may have left behind.
    pub(super) async fn settle_decided(&self, app: &App) -> Result<()> {
        let staged = self.host.store.staged_ids(app).await?;
        if staged.is_empty() {
            return Ok(());
        }
        let Some(object) = self.host.store.base(app).await? else { return Ok(()) };
        let base = base::read(&self.host, app, object).await?;
        let decided = staged.intersection(&base.ledger.decided).cloned();
        self.settle_all(app, decided).await
    }

    /// The same for many of them.
    ///
    /// # Errors
    /// The first that could not be removed.
    pub(super) async fn settle_all(&self, app: &App, ids: impl IntoIterator<Item = Id>) -> Result<()> {
        match self.host.store.unstage_all(app, ids).await.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}
