//! What really happened: every upload, every deletion, and each state of every base, as an all-knowing observer sees
//! them. It checks the promises of the design at each step, and once more when all has come to rest.
//!
//! The central law: *a base holds exactly what some base's ledger has ever named, less what deletions erased.* So an
//! upload counted twice, lost, back from the dead or in the base without the ledger knowing is seen at the very write.

pub(crate) mod base;
pub(crate) mod rest;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use autopgo_core::app::App;
use autopgo_core::event::{Decoded, Envelope, Event};
use autopgo_core::key::{Id, Key, Place};
use bytes::Bytes;
use jiff::Timestamp;

use super::executor::Sim;
use super::profile::{Content, Period};

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// An upload is in the base more than once (I2).
    Twice,
    /// An accepted upload is nowhere, though nothing erased it (I1; P2 after a deletion).
    Lost,
    /// Something accepted before a deletion is in the base after its answer (P1), or was erased and came back.
    Back,
    /// `profile.merged` was published for what no base held by then (I3).
    Early,
    /// An upload is in the base and the ledger does not say so.
    Unnamed,
    /// Two writes of a base had the same bytes (I4).
    SameBytes,
    /// An upload is in the base and set aside.
    Both,
    /// A staged object was removed though nothing was decided about it.
    Removed,
    /// A good upload was refused or set aside, or a request failed with what is not its fault.
    Refused,
    /// A staged object is left when all has come to rest.
    Stuck,
    /// The ledger still names what is long gone.
    Ledger,
    /// A base cannot be read, or holds what nobody uploaded.
    Broken,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) wrong: Wrong,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.what)
    }
}

/// What an upload is, as far as merging cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// A profile whose one sample is in this function.
    Function(String, Period),
    /// A CPU profile without samples.
    Idle(Period),
    /// Something that can never be merged.
    Unusable,
}

/// An upload and its fate.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) app: App,
    pub(crate) id: Id,
    pub(crate) load: Load,
    /// When its first request began.
    begun: u64,
    /// When it was first answered with 201.
    accepted: Option<u64>,
    erased: bool,
}

impl Upload {
    fn function(&self) -> Option<&str> {
        match &self.load {
            Load::Function(name, _) => Some(name),
            Load::Idle(_) | Load::Unusable => None,
        }
    }
}

/// A request to delete an application's profile.
#[derive(Debug)]
struct Deletion {
    app: App,
    begun: u64,
    /// Of a Go server's event.
    event: Option<Timestamp>,
    /// When its promise was made.
    promised: Option<u64>,
    /// After this it erases nothing that had not begun by then.
    ended: Option<u64>,
}

#[derive(Default)]
struct Past {
    content: Content,
    /// Everything that any base's ledger ever named.
    decided: BTreeSet<Id>,
    set_aside: BTreeSet<Id>,
    ever_set_aside: BTreeSet<Id>,
    written: HashSet<Bytes>,
}

#[derive(Default)]
struct State {
    clock: u64,
    uploads: Vec<Upload>,
    deletions: Vec<Deletion>,
    apps: BTreeMap<App, Past>,
    violation: Option<Violation>,
}

/// The observer.
pub(crate) struct History {
    sim: Arc<Sim>,
    /// Violations that are not to end the simulation: for mutants whose worst harm comes later.
    overlooked: &'static [Wrong],
    /// Whether clocks differ: then one deletion's mark may cover another that happened later.
    skewed: bool,
    state: Mutex<State>,
}

impl History {
    pub(crate) fn new(sim: Arc<Sim>, skewed: bool, overlooked: &'static [Wrong]) -> Arc<Self> {
        Arc::new(Self { sim, overlooked, skewed, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("no code panics while it holds the lock");
        state.clock += 1;
        state
    }

    /// The first broken promise.
    pub(crate) fn violation(&self) -> Option<Violation> {
        self.state().violation.clone()
    }

    /// Says that a promise is broken.
    pub(crate) fn broken(&self, wrong: Wrong, what: impl Into<String>) {
        self.state().broken(self.overlooked, wrong, what.into());
    }

    /// An upload's first request begins. Gives its number.
    pub(crate) fn upload(&self, name: String, app: App, id: Id, load: Load) -> usize {
        let mut state = self.state();
        let begun = state.clock;
        state.uploads.push(Upload { name, app, id, load, begun, accepted: None, erased: false });
        state.uploads.len() - 1
    }

    /// The upload is answered with 201.
    pub(crate) fn accepted(&self, upload: usize) {
        let mut state = self.state();
        let now = state.clock;
        state.uploads[upload].accepted.get_or_insert(now);
        self.sim.count("an upload was accepted");
    }

    /// A deletion is asked for: by a request, or by a Go server's event of this time. Gives its number.
    pub(crate) fn deletion(&self, app: App, event: Option<Timestamp>) -> usize {
        let mut state = self.state();
        let begun = state.clock;
        state.deletions.push(Deletion { app, begun, event, promised: None, ended: None });
        state.deletions.len() - 1
    }

    /// The deletion is answered with 200, or with 404: either way there is nothing any more.
    pub(crate) fn deleted(&self, deletion: usize) {
        let mut state = self.state();
        let now = state.clock;
        state.deletions[deletion].promised = Some(now);
        let app = state.deletions[deletion].app.clone();
        state.check_base(&app, self.overlooked);
    }

    /// Whoever carried the deletion out has ended, one way or another.
    pub(crate) fn deletion_ended(&self, deletion: usize) {
        let mut state = self.state();
        let now = state.clock;
        state.deletions[deletion].ended = Some(now);
    }

    /// A worker says that it is done with a message: a Go server's deletion is applied by then.
    pub(crate) fn handled(&self, body: &Bytes) {
        let Ok(Decoded::Known(Envelope { event: Event::Deleted { app, cleared: false }, timestamp, .. })) =
            Envelope::decode(body)
        else {
            return;
        };
        let mut state = self.state();
        let now = state.clock;
        for deletion in &mut state.deletions {
            if deletion.app == app && deletion.event == Some(timestamp) {
                deletion.ended.get_or_insert(now);
            }
        }
    }

    /// A worker or a server is about to publish.
    pub(crate) fn publishing(&self, body: &Bytes) {
        let Ok(Decoded::Known(Envelope { event: Event::Merged { app, id }, .. })) = Envelope::decode(body)
        else {
            return;
        };
        let mut state = self.state();
        if !state.apps.entry(app).or_default().decided.contains(&id) {
            let name = state.name(&id);
            state.broken(
                self.overlooked,
                Wrong::Early,
                format!("profile.merged says that {name} is in the base"),
            );
        }
    }

    /// A base is about to be written.
    pub(crate) fn writing(&self, key: &str, bytes: &Bytes) {
        let Some(key) = Key::parse(key) else { return };
        let mut state = self.state();
        if !state.apps.entry(key.app).or_default().written.insert(bytes.clone()) {
            state.broken(
                self.overlooked,
                Wrong::SameBytes,
                "two writes of a base have the same bytes".to_owned(),
            );
        }
    }

    /// An object has landed. Gives what the trace says about it.
    pub(crate) fn landed(&self, key: &str, bytes: &Bytes) -> String {
        let Some(Key { app, place }) = Key::parse(key) else {
            self.broken(Wrong::Broken, format!("{key} is no key of ours"));
            return String::new();
        };
        let mut state = self.state();
        match place {
            Place::Base => match Content::read(bytes) {
                Ok(content) => {
                    let told = content.told(&state);
                    state.new_base(&app, content, self);
                    return told;
                }
                Err(error) => {
                    state.broken(self.overlooked, Wrong::Broken, format!("a base was written: {error}"));
                }
            },
            Place::Rejected(id) => {
                let past = state.apps.entry(app.clone()).or_default();
                past.set_aside.insert(id.clone());
                past.ever_set_aside.insert(id);
                self.sim.count("an upload was set aside");
                state.check_base(&app, self.overlooked);
            }
            Place::Incoming(_) | Place::Reason(_) | Place::Staged(_) => {}
        }
        String::new()
    }

    /// An object was removed.
    pub(crate) fn removed(&self, key: &str) {
        let Some(Key { app, place }) = Key::parse(key) else { return };
        let mut state = self.state();
        let past = state.apps.entry(app).or_default();
        match place {
            Place::Base => state.broken(self.overlooked, Wrong::Broken, "a base was removed".to_owned()),
            Place::Rejected(id) => {
                past.set_aside.remove(&id);
            }
            Place::Staged(id) if !past.decided.contains(&id) && !past.ever_set_aside.contains(&id) => {
                let what = format!("the staged object of {} was removed, undecided", state.name(&id));
                state.broken(self.overlooked, Wrong::Removed, what);
            }
            Place::Staged(_) | Place::Incoming(_) | Place::Reason(_) => {}
        }
    }

    /// The ids of all uploads so far.
    pub(crate) fn ids(&self) -> Vec<Id> {
        self.state().uploads.iter().map(|upload| upload.id.clone()).collect()
    }

    /// Puts names in the place of ids.
    pub(crate) fn named(&self, text: &str) -> String {
        let state = self.state();
        state
            .uploads
            .iter()
            .fold(text.to_owned(), |text, upload| text.replace(&upload.id.to_string(), &upload.name))
    }
}

impl State {
    fn broken(&mut self, overlooked: &[Wrong], wrong: Wrong, what: String) {
        if self.violation.is_none() && !overlooked.contains(&wrong) {
            self.violation = Some(Violation { wrong, what });
        }
    }

    fn name(&self, id: &Id) -> String {
        let upload = self.uploads.iter().find(|upload| upload.id == *id);
        upload.map_or_else(|| id.to_string(), |upload| upload.name.clone())
    }

    /// Whether a deletion may have erased this upload: it had not ended when the upload began.
    fn may_be_erased(&self, upload: &Upload) -> bool {
        let mut deletions = self.deletions.iter().filter(|deletion| deletion.app == upload.app);
        deletions.any(|deletion| deletion.ended.is_none_or(|ended| upload.begun < ended))
    }

    /// Whether a deletion has promised that this upload is in no base from now on.
    fn must_be_gone(&self, upload: &Upload) -> bool {
        let mut deletions = self.deletions.iter().filter(|deletion| deletion.app == upload.app);
        upload.accepted.is_some_and(|accepted| {
            deletions.any(|deletion| deletion.promised.is_some() && accepted < deletion.begun)
        })
    }
}
