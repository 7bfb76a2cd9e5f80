//! What must be true once all has come to rest: everything is decided, and nothing is left over.

use autopgo_core::app::App;
use autopgo_core::key::{Key, Place};

use super::{History, Load, State, Upload, Wrong};

impl History {
    /// Nothing runs any more and a sweep has gone over everything; `keys` are all that is in the store.
    pub(crate) fn at_rest(&self, keys: &[String]) {
        let mut state = self.state();
        let mut found = Vec::new();
        for key in keys {
            if let Some(Key { place: Place::Staged(id), .. }) = Key::parse(key) {
                found.push((Wrong::Stuck, format!("{} is still staged", state.name(&id))));
            }
        }
        for upload in &state.uploads {
            found.extend(state.fate(upload));
        }
        for (wrong, what) in found {
            state.broken(self.overlooked, wrong, what);
        }
    }

    /// The ledger of `app` names at most `most` uploads.
    pub(crate) fn ledger_is_short(&self, app: &App, most: usize) {
        let mut state = self.state();
        let long = state.apps.get(app).map_or(0, |past| past.content.decided.len());
        if long > most {
            let what = format!("the ledger of {app} names {long} uploads long after all were settled");
            state.broken(self.overlooked, Wrong::Ledger, what);
        }
    }

    /// Whether the base of `app` holds any samples; `None` if there is none.
    pub(crate) fn has_samples(&self, app: &App) -> Option<bool> {
        let state = self.state();
        let past = state.apps.get(app).filter(|past| !past.written.is_empty())?;
        Some(!past.content.counts.is_empty())
    }
}

impl State {
    /// What is wrong with where an upload ended up.
    fn fate(&self, upload: &Upload) -> Option<(Wrong, String)> {
        let past = self.apps.get(&upload.app);
        let decided = past.is_some_and(|past| past.decided.contains(&upload.id));
        let set_aside = past.is_some_and(|past| past.set_aside.contains(&upload.id));
        // While nothing is deleted a base keeps its kind, and one without samples turns nobody away.
        if let Load::Function(_, period) = &upload.load
            && set_aside
            && !decided
            && !self.deletions.iter().any(|deletion| deletion.app == upload.app)
            && past.is_none_or(|past| past.content.period.is_none_or(|base| base == *period))
        {
            return Some((Wrong::Refused, format!("{} was set aside though it fits", upload.name)));
        }
        let erased = upload.erased || self.may_be_erased(upload);
        if upload.accepted.is_some() && !decided && !set_aside && !erased {
            return Some((Wrong::Lost, format!("{} was accepted and is nowhere", upload.name)));
        }
        None
    }
}
