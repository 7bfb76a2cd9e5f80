//! The deletion of an application's profile and of everything accepted for it.

use super::Server;
use crate::app::App;
use crate::erase::{Asked, Erased, erase};
use crate::error::{Error, Kind, Result};
use crate::event::Event;

impl Server {
    /// Deletes the profile of `app` and every upload accepted so far. Once this returns, none of it comes back.
    ///
    /// # Errors
    /// `NotFound` when there was nothing, staged uploads included; `Unavailable` when it lost too many races: ask again.
    pub async fn delete(&self, app: &App) -> Result<()> {
        match erase(&self.host, app, Asked::ByRequest).await? {
            Erased::Nothing => Err(Error::new(
                Kind::NotFound,
                format!("there is no profile of {app}, and no upload that waits"),
            )),
            Erased::Gone | Erased::Already => {
                tracing::info!(app = %app, "profile deleted");
                self.announce(Event::Deleted { app: app.clone(), cleared: true }).await;
                Ok(())
            }
        }
    }
}
