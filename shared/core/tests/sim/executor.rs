//! A single-threaded executor in which nothing happens by itself. A task runs until it waits; what it waits for is
//! then one of the *waits* that lie open, and each step ends exactly one of them, chosen by the seed. Every call of a
//! port waits before and after it acts, so every interleaving at every await can come, and so can a crash: the tasks
//! of a process are dropped between two steps, wherever they are.
//!
//! Time is virtual. It moves a little with each step, to the next timer when nothing else is left to do, and, where
//! the plan says so, by minutes or hours while all tasks stand still, or while one does: a machine that was suspended. A *fence* is a moment
//! that time does not pass while it stands; that is how the bounds that the protocol relies on (a write is under way
//! for 20 minutes at the most) are kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::chance::Chance;

/// What crashes as one: a kind of process and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process(pub(crate) &'static str, pub(crate) usize);

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1)
    }
}

/// How the next wait is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// All alike.
    Uniform,
    /// The task of the highest priority goes on; after a step it gets a new random one this often in a thousand.
    /// So one task stands still while others do long pieces of work, which uniform choice hardly ever does
    /// (after Burckhardt and others, "A randomized scheduler with probabilistic guarantees of finding bugs", 2010).
    Priorities {
        /// How often, in a thousand.
        change: u64,
    },
}

/// How the executor behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How the next wait is chosen.
    pub(crate) policy: Policy,
    /// How often in a thousand steps the next timer runs out although there is something to do: whatever is being done
    /// takes its time, and others begin meanwhile.
    pub(crate) overlaps: u64,
    /// How often in a thousand steps time jumps although there is something to do.
    pub(crate) jumps: u64,
    /// How often in a thousand steps a task stands still while the world goes on: a machine that was suspended.
    pub(crate) freezes: u64,
    /// How far time jumps, and how long a task stands still, at the most.
    pub(crate) most: Duration,
}

impl Pace {
    /// How long it takes: by any order of magnitude, or anywhere in the time that there is.
    fn some(self, chance: &mut Chance) -> i64 {
        let most = u64::try_from(self.most.as_nanos()).expect("hours");
        let nanos = if chance.happens(500) { chance.magnitude(most) } else { chance.below(most) };
        i64::try_from(nanos).expect("hours")
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What every part of a simulation shares: chance, time, and the waits.
pub(crate) struct Sim {
    state: Mutex<State>,
    woken: Arc<Mutex<VecDeque<usize>>>,
}

struct State {
    chance: Chance,
    pace: Pace,
    now: i64,
    step: u64,
    waits: u64,
    open: Vec<Wait>,
    timers: BTreeMap<(i64, u64), Wait>,
    over: BTreeSet<u64>,
    fences: BTreeMap<u64, i64>,
    priorities: Vec<u64>,
    spawned: Vec<(Process, Task)>,
    running: usize,
    counts: BTreeMap<&'static str, u64>,
    trace: Option<Vec<String>>,
}

impl State {
    /// What time must not pass now.
    fn fence(&self) -> i64 {
        self.fences.values().copied().min().unwrap_or(i64::MAX)
    }
}

struct Wait {
    id: u64,
    task: usize,
    waker: Waker,
}

impl Sim {
    pub(crate) fn new(chance: Chance, pace: Pace, traced: bool) -> Arc<Self> {
        let state = State {
            chance,
            pace,
            now: 0,
            step: 0,
            waits: 0,
            open: Vec::new(),
            timers: BTreeMap::new(),
            over: BTreeSet::new(),
            fences: BTreeMap::new(),
            priorities: Vec::new(),
            spawned: Vec::new(),
            running: 0,
            counts: BTreeMap::new(),
            trace: traced.then(Vec::new),
        };
        Arc::new(Self { state: Mutex::new(state), woken: Arc::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the lock")
    }

    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> i64 {
        self.state().now
    }

    /// How many waits have ended so far. Orders everything that happens.
    pub(crate) fn step(&self) -> u64 {
        self.state().step
    }

    /// A question to chance.
    pub(crate) fn chance<T>(&self, ask: impl FnOnce(&mut Chance) -> T) -> T {
        ask(&mut self.state().chance)
    }

    /// Whether something happens that happens `per_mille` times in a thousand. Never asks chance about what cannot.
    pub(crate) fn happens(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.chance(|chance| chance.happens(per_mille))
    }

    /// Adds a task of `process`.
    pub(crate) fn spawn(&self, process: Process, task: impl Future<Output = ()> + Send + 'static) {
        self.state().spawned.push((process, Box::pin(task)));
    }

    /// Lets anything else happen first.
    pub(crate) fn pause(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        Waiting { sim: Arc::clone(self), until: None, id: None }
    }

    /// Lets at least `duration` go by.
    pub(crate) fn sleep(self: &Arc<Self>, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let until = self.now().saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX));
        Waiting { sim: Arc::clone(self), until: Some(until), id: None }
    }

    /// Time does not pass `duration` from now before the fence is dropped.
    pub(crate) fn fence(self: &Arc<Self>, duration: Duration) -> Fence {
        let mut state = self.state();
        state.waits += 1;
        let (id, now) = (state.waits, state.now);
        state.fences.insert(id, now + i64::try_from(duration.as_nanos()).expect("a short time"));
        Fence { sim: Arc::clone(self), id }
    }

    /// Counts that something was reached.
    pub(crate) fn count(&self, what: &'static str) {
        *self.state().counts.entry(what).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.clone()
    }

    /// Adds a line to the trace, if one is kept.
    pub(crate) fn note(&self, who: Process, what: impl FnOnce() -> String) {
        let mut state = self.state();
        if state.trace.is_some() {
            let line = format!(
                "{:>5} {:>10.3}s {:<9} {}",
                state.step,
                state.now as f64 / 1e9,
                who.to_string(),
                what()
            );
            state.trace.as_mut().expect("it is kept").push(line);
        }
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.state().trace.clone().unwrap_or_default()
    }

    /// From now on time moves when nothing else is left to do.
    pub(crate) fn be_punctual(&self) {
        let pace = &mut self.state().pace;
        (pace.overlaps, pace.jumps, pace.freezes) = (0, 0, 0);
    }

    /// Ends one wait. `false` if there is none, and no timer.
    fn end_one(&self) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let first = state.timers.first_key_value().map(|(&(first, _), _)| first);
        let Pace { overlaps, jumps, .. } = state.pace;
        let to = match first {
            // With nothing else to do, whoever put up a fence sleeps by its own will: it holds nothing back.
            _ if state.open.is_empty() => first,
            _ if jumps > 0 && state.chance.happens(jumps) => {
                Some((state.now + state.pace.some(&mut state.chance)).min(state.fence()))
            }
            Some(first) if overlaps > 0 && state.chance.happens(overlaps) => Some(first.min(state.fence())),
            _ => None,
        };
        state.now = state.now.max(to.unwrap_or_default());
        let later = state.timers.split_off(&(state.now + 1, 0));
        state.open.extend(std::mem::replace(&mut state.timers, later).into_values());
        if state.open.is_empty() {
            return false;
        }
        let chosen = match state.pace.policy {
            Policy::Uniform => state.chance.index(state.open.len()),
            Policy::Priorities { .. } => {
                let priority = |wait: &Wait| state.priorities[wait.task];
                let highest = state.open.iter().map(priority).max().unwrap_or_default();
                let of_it: Vec<usize> =
                    (0..state.open.len()).filter(|&at| priority(&state.open[at]) == highest).collect();
                of_it[state.chance.index(of_it.len())]
            }
        };
        let wait = state.open.swap_remove(chosen);
        if state.pace.freezes > 0 && state.chance.happens(state.pace.freezes) {
            let until =
                (state.now + state.pace.some(&mut state.chance)).min(state.fence()).max(state.now + 1);
            state.timers.insert((until, wait.id), wait);
            return true;
        }
        if let Policy::Priorities { change } = state.pace.policy
            && state.chance.happens(change)
        {
            state.priorities[wait.task] = state.chance.bits();
        }
        state.step += 1;
        state.now += 1000;
        state.over.insert(wait.id);
        wait.waker.wake();
        true
    }
}

/// A moment that time does not pass. It ends when this is dropped.
pub(crate) struct Fence {
    sim: Arc<Sim>,
    id: u64,
}

impl Drop for Fence {
    fn drop(&mut self) {
        self.sim.state().fences.remove(&self.id);
    }
}

struct Waiting {
    sim: Arc<Sim>,
    until: Option<i64>,
    id: Option<u64>,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sim = Arc::clone(&self.sim);
        let mut state = sim.state();
        let Some(id) = self.id else {
            state.waits += 1;
            let wait = Wait { id: state.waits, task: state.running, waker: context.waker().clone() };
            self.id = Some(wait.id);
            match self.until.filter(|&until| until > state.now) {
                Some(until) => {
                    state.timers.insert((until, wait.id), wait);
                }
                None => state.open.push(wait),
            }
            return Poll::Pending;
        };
        if state.over.remove(&id) {
            self.id = None;
            self.until = None;
            return Poll::Ready(());
        }
        let State { open, timers, .. } = &mut *state;
        if let Some(wait) = open.iter_mut().chain(timers.values_mut()).find(|wait| wait.id == id) {
            wait.waker.clone_from(context.waker());
        }
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut state = self.sim.state();
        state.open.retain(|wait| wait.id != id);
        state.timers.retain(|_, wait| wait.id != id);
        state.over.remove(&id);
    }
}

struct TaskWaker {
    task: usize,
    woken: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().expect("no code panics while it holds the lock").push_back(self.task);
    }
}

/// Runs the tasks of a [`Sim`].
pub(crate) struct Executor {
    sim: Arc<Sim>,
    tasks: Vec<Option<(Process, Task, Waker)>>,
}

impl Executor {
    pub(crate) fn new(sim: Arc<Sim>) -> Self {
        Self { sim, tasks: Vec::new() }
    }

    /// Ends one wait and runs what it lets run. `false` if nothing will ever happen any more.
    pub(crate) fn step(&mut self) -> bool {
        self.settle();
        let some = self.sim.end_one();
        self.settle();
        some
    }

    /// Drops the tasks of `process`, wherever they are.
    pub(crate) fn kill(&mut self, process: Process) {
        self.admit();
        let dead = |task: &mut Option<(Process, Task, Waker)>| task.take_if(|(whose, ..)| *whose == process);
        // Dropped all at once and by themselves: a task's drop may wake others.
        drop(self.tasks.iter_mut().filter_map(dead).collect::<Vec<_>>());
        self.settle();
    }

    /// Runs `task` alone to its end, as fast as the clock lets it.
    pub(crate) fn finish<T: Send + 'static>(
        &mut self,
        process: Process,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let result = Arc::new(Mutex::new(None));
        let put = Arc::clone(&result);
        self.sim.spawn(process, async move {
            let value = task.await;
            *put.lock().expect("nobody panics with it") = Some(value);
        });
        loop {
            let more = self.step();
            let done = result.lock().expect("nobody panics with it").take();
            if done.is_some() || !more {
                return done;
            }
        }
    }

    fn admit(&mut self) {
        loop {
            let spawned = std::mem::take(&mut self.sim.state().spawned);
            if spawned.is_empty() {
                return;
            }
            for (process, task) in spawned {
                let number = self.tasks.len();
                let waker =
                    Waker::from(Arc::new(TaskWaker { task: number, woken: Arc::clone(&self.sim.woken) }));
                waker.wake_by_ref();
                self.tasks.push(Some((process, task, waker)));
                let mut state = self.sim.state();
                let priority = state.chance.bits();
                state.priorities.push(priority);
            }
        }
    }

    /// Runs every task that was woken until all wait.
    fn settle(&mut self) {
        loop {
            self.admit();
            let woken = self.sim.woken.lock().expect("no code panics while it holds the lock").pop_front();
            let Some(number) = woken else { return };
            let Some((process, mut task, waker)) = self.tasks[number].take() else { continue };
            self.sim.state().running = number;
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                self.tasks[number] = Some((process, task, waker));
            }
        }
    }
}
