//! Whose turn it is to merge: in one process an application is merged by one batch at a time, for two would only make
//! each other start again; and only so many are merged side by side, for each holds its base in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::APPS_AT_ONCE;
use crate::app::App;

/// The turns of one process. Whoever waits longest is next.
#[derive(Clone)]
pub(super) struct Turns {
    apps: Arc<Mutex<BTreeMap<App, Weak<AsyncMutex<()>>>>>,
    places: Arc<Semaphore>,
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    _app: OwnedMutexGuard<()>,
    /// `None` never happens: the places are never closed.
    _place: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { apps: Arc::default(), places: Arc::new(Semaphore::new(APPS_AT_ONCE)) }
    }
}

impl Turns {
    /// Waits for the turn of `app`.
    pub(super) async fn of(&self, app: &App) -> Turn {
        let mine = self.queue(app).lock_owned().await;
        // Only now: whoever waits for its application takes no place from another.
        let place = Arc::clone(&self.places).acquire_owned().await;
        Turn { _app: mine, _place: place.ok() }
    }

    fn queue(&self, app: &App) -> Arc<AsyncMutex<()>> {
        // No code below panics while it holds the lock, so what it guards is always whole.
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = apps.get(app).and_then(Weak::upgrade) {
            return queue;
        }
        apps.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::default();
        apps.insert(app.clone(), Arc::downgrade(&queue));
        queue
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn app(name: &str) -> App {
        App::parse(name).expect("a good name")
    }

    #[test]
    fn an_application_has_one_turn_at_a_time_and_nothing_is_kept_of_it() {
        let turns = Turns::default();
        let first = turns.of(&app("a")).now_or_never().expect("nobody has it");
        assert!(turns.of(&app("a")).now_or_never().is_none());
        assert!(turns.of(&app("b")).now_or_never().is_some());
        drop(first);
        assert!(turns.of(&app("a")).now_or_never().is_some());
        assert_eq!(turns.apps.lock().expect("no panic").len(), 1, "what is over goes with the next");
    }

    #[test]
    fn the_places_are_bounded_and_who_waits_for_an_application_takes_none() {
        let turns = Turns::default();
        let apps: Vec<App> = (0..=APPS_AT_ONCE).map(|n| app(&format!("app-{n}"))).collect();
        let turn = |n: usize| turns.of(&apps[n]).now_or_never();
        let mut taken: Vec<Turn> = (0..APPS_AT_ONCE - 1).map(|n| turn(n).expect("a place")).collect();
        let mut waits = Box::pin(turns.of(&apps[0]));
        assert!((&mut waits).now_or_never().is_none());
        taken.push(turn(APPS_AT_ONCE - 1).expect("the last place"));
        assert!(turn(APPS_AT_ONCE).is_none(), "all are taken");
        taken.remove(0);
        assert!(waits.now_or_never().is_some());
    }
}
