//! Settling many messages in few calls: what is asked for at the same time goes out together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use autopgo_core::error::{Error, Result};
use tokio::sync::oneshot;

/// How long the first waits for others: a batch is settled message by message, all at once.
const LINGER: Duration = Duration::from_millis(5);

/// A change `C` of a message, and who asked for it.
pub(crate) struct Asked<C> {
    pub(crate) receipt: String,
    pub(crate) change: C,
    confirm: oneshot::Sender<Result<bool>>,
}

impl<C> Asked<C> {
    /// Tells who asked. `false`: the message is settled or somebody else's by now.
    pub(crate) fn confirmed(self, outcome: Result<bool>) {
        // Whoever asked may be gone.
        let _ = self.confirm.send(outcome);
    }
}

/// Tells all of them that this went wrong.
pub(crate) fn all_fail<C>(asked: Vec<Asked<C>>, error: Error) {
    let error = Arc::new(error);
    for one in asked {
        one.confirmed(Err(Error::new(error.kind(), error.what()).because(Arc::clone(&error))));
    }
}

/// Changes that wait for others.
pub(crate) struct Together<C>(Mutex<Vec<Asked<C>>>);

impl<C> Default for Together<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C> Together<C> {
    /// Asks for a change, and returns what came of it; `None` if nobody was left to do it. Whoever is the first calls
    /// `send`, which must see to it that a task of its own takes what is [`gathered`](Self::gathered): who asked first may
    /// be dropped without the others.
    pub(crate) async fn ask(&self, receipt: &str, change: C, send: impl FnOnce()) -> Option<Result<bool>> {
        let (confirm, confirmed) = oneshot::channel();
        let first = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(Asked { receipt: receipt.to_owned(), change, confirm });
            waiting.len() == 1
        };
        if first {
            send();
        }
        confirmed.await.ok()
    }

    /// Waits a moment and takes all that were asked for until then.
    pub(crate) async fn gathered(&self) -> Vec<Asked<C>> {
        tokio::time::sleep(LINGER).await;
        // Nothing panics while it holds the lock, so what it guards is always whole.
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Somebody who waits for messages, for as long as this is there.
pub(crate) struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    pub(crate) fn with(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
