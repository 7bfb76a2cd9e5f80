//! A `profile.deleted` of a Go server: nothing is deleted yet, and this worker sees to it.

use jiff::Timestamp;

use super::Worker;
use crate::app::App;
use crate::erase::{Asked, Erased, erase};
use crate::error::Result;

impl Worker {
    pub(super) async fn delete(&self, app: &App, time: Timestamp) -> Result<()> {
        let _turn = self.turns.of(app).await;
        match erase(&self.host, app, Asked::ByEvent(time)).await? {
            Erased::Already => tracing::debug!(app = %app, "a deletion was delivered again"),
            Erased::Gone | Erased::Nothing => tracing::info!(app = %app, "profile deleted"),
        }
        Ok(())
    }
}
