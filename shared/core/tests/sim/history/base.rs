//! The laws of a base, checked at each write that lands.

use autopgo_core::app::App;

use super::{History, State, Wrong};
use crate::sim::profile::Content;

impl State {
    /// A base has landed.
    pub(super) fn new_base(&mut self, app: &App, content: Content, history: &History) {
        let overlooked = history.overlooked;
        self.note_deletions(app, &content, history);
        let past = self.apps.entry(app.clone()).or_default();
        past.decided.extend(content.decided.iter().cloned());
        let before = std::mem::replace(&mut past.content, content);
        if past.content.decided.len() < before.decided.len() {
            history.sim.count("a ledger shrank");
        }
        if past.content.counts.is_empty() && !before.counts.is_empty() {
            history.sim.count("a base was emptied");
        }
        self.note_erased(app, overlooked);
        self.check_base(app, overlooked);
    }

    /// A Go server's deletion is applied by the first base whose mark is not older.
    fn note_deletions(&mut self, app: &App, content: &Content, history: &History) {
        let now = self.clock;
        for deletion in &mut self.deletions {
            let Some(time) = deletion.event else { continue };
            if deletion.app != *app || deletion.ended.is_some() || content.mark.is_none_or(|mark| mark < time)
            {
                continue;
            }
            deletion.ended = Some(now);
            // By clocks that differ another deletion may look newer than this one and was not.
            if content.mark == Some(time) || !history.skewed {
                deletion.promised = Some(now);
            }
            history.sim.count("a Go server's deletion was applied");
        }
    }

    /// What the ledger names and no base holds is erased: by a deletion that could.
    fn note_erased(&mut self, app: &App, overlooked: &[Wrong]) {
        let Some(past) = self.apps.get(app) else { return };
        let gone = |at: &usize| {
            let upload = &self.uploads[*at];
            upload.app == *app
                && !upload.erased
                && past.decided.contains(&upload.id)
                && upload.function().is_some_and(|function| past.content.count(function) == 0)
        };
        for at in (0..self.uploads.len()).filter(gone).collect::<Vec<_>>() {
            if !self.may_be_erased(&self.uploads[at]) {
                let what = format!("{} is out of the base and no deletion erased it", self.uploads[at].name);
                self.broken(overlooked, Wrong::Lost, what);
            }
            self.uploads[at].erased = true;
        }
    }

    /// The base of `app` holds what it may and must hold.
    pub(super) fn check_base(&mut self, app: &App, overlooked: &[Wrong]) {
        let Some(past) = self.apps.get(app) else { return };
        let mut found = Vec::new();
        for (function, &count) in &past.content.counts {
            let of_it = || self.uploads.iter().filter(|upload| upload.function() == Some(function));
            if count > of_it().count() as u64 {
                found.push((Wrong::Twice, format!("{function} is in the base {count} times")));
            }
            if of_it().all(|upload| upload.app != *app) {
                found.push((
                    Wrong::Broken,
                    format!("{function} is in the base of {app}, where nobody sent it"),
                ));
            }
            let alive = |decided| {
                of_it()
                    .filter(|upload| !upload.erased && (decided == past.decided.contains(&upload.id)))
                    .count() as u64
            };
            if count > alive(true) {
                let erased = of_it().any(|upload| upload.erased);
                let wrong = if alive(false) > 0 || !erased { Wrong::Unnamed } else { Wrong::Back };
                found.push((
                    wrong,
                    format!("{function} is in the base {count} times; its ledger knows of {}", alive(true)),
                ));
            }
            if count < alive(true) {
                let what =
                    format!("{function} is in the base {count} times; its ledger says {}", alive(true));
                found.push((Wrong::Lost, what));
            }
            for upload in of_it().filter(|upload| !upload.erased && past.decided.contains(&upload.id)) {
                if self.must_be_gone(upload) {
                    let what = format!("{} is in the base after the answer to a later DELETE", upload.name);
                    found.push((Wrong::Back, what));
                }
                if past.set_aside.contains(&upload.id) && !self.may_be_erased(upload) {
                    found.push((Wrong::Both, format!("{} is in the base and set aside", upload.name)));
                }
            }
        }
        // The gravest first: a count of two is also one that the ledger does not know of.
        found.sort_by_key(|(wrong, _)| ![Wrong::Twice, Wrong::Back].contains(wrong));
        for (wrong, what) in found {
            self.broken(overlooked, wrong, what);
        }
    }
}

impl Content {
    /// What the trace says about a base.
    pub(super) fn told(&self, state: &State) -> String {
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(name, count)| if *count == 1 { name.clone() } else { format!("{name} x{count}") })
            .collect();
        let decided: Vec<String> = self.decided.iter().map(|id| state.name(id)).collect();
        let mark = self.mark.map_or_else(String::new, |mark| format!(", deleted {mark}"));
        format!(" holding {{{}}}, ledger {{{}}}{mark}", counts.join(", "), decided.join(", "))
    }
}
