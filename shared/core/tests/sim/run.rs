//! One simulation from its seed to its verdict: everybody acts for a while, with faults; then all stops where it is,
//! what is in the air lands or does not, and a sweep without faults must bring everything to rest.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use autopgo_core::api::Form;
use autopgo_core::error::Kind;
use autopgo_core::key::{Id, Key};
use autopgo_core::server::Downloaded;

use super::actors::{enter, start_worker};
use super::executor::{Executor, Process, Sim};
use super::history::{History, Load, Violation, Wrong};
use super::mutants::Mutant;
use super::plan::Plan;
use super::profile::{self, Content, Period};
use super::world::World;

const DRAIN: Process = Process("drain", 0);
const SWEPT_AFTER: Duration = Duration::from_secs(5 * 60);
/// Longer than an id stays in the ledger, and clocks differ.
const LONG: Duration = Duration::from_secs(2 * 60 * 60);

/// What is to be simulated.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setting {
    /// The fault that is built in, if any.
    pub(crate) mutant: Option<Mutant>,
    /// Changes a plan, so that more of the seeds go where something is expected.
    pub(crate) focus: Option<fn(&mut Plan)>,
    /// What does not end a simulation.
    pub(crate) overlooked: &'static [Wrong],
}

/// How a simulation ended.
pub(crate) struct Report {
    pub(crate) violation: Option<Violation>,
    pub(crate) plan: Plan,
    pub(crate) steps: u64,
    /// What was reached, and how often.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// What happened, line by line, if it was asked for.
    pub(crate) trace: Vec<String>,
}

/// Simulates `seed`.
pub(crate) fn run(seed: u64, setting: Setting, traced: bool) -> Report {
    let (mut plan, chance) = Plan::draw(seed);
    if let Some(focus) = setting.focus {
        focus(&mut plan);
    }
    let sim = Sim::new(chance, plan.pace, traced);
    let history = History::new(Arc::clone(&sim), !plan.skew.is_zero(), setting.overlooked);
    let world = World::new(plan.clone(), Arc::clone(&sim), Arc::clone(&history), setting.mutant);
    let mut executor = Executor::new(Arc::clone(&sim));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        act(&world, &mut executor);
        rest(&world, &mut executor);
    }));
    if ended.is_err() {
        history.broken(Wrong::Broken, "something panicked, see above");
    }
    let violation = history.violation();
    let trace = sim.trace().iter().map(|line| history.named(line)).collect();
    Report { violation, plan, steps: sim.step(), counts: sim.counts(), trace }
}

/// Everybody acts, and processes die.
fn act(world: &Arc<World>, executor: &mut Executor) {
    enter(world);
    for _ in 0..world.plan.steps {
        if world.history.violation().is_some() || !executor.step() {
            return;
        }
        if world.sim.happens(world.plan.faults.crash) {
            let all = world.plan.servers + world.plan.workers;
            let number = world.sim.chance(|chance| chance.index(all));
            let server = number < world.plan.servers;
            let process = if server {
                Process("server", number)
            } else {
                Process("worker", number - world.plan.servers)
            };
            world.sim.count("a process died");
            world.sim.note(process, || "dies".to_owned());
            executor.kill(process);
            if server { world.restart_server(process.1) } else { start_worker(world, process.1) }
        }
    }
}

/// Everything stops, and must come to rest.
fn rest(world: &Arc<World>, executor: &mut Executor) {
    if world.history.violation().is_some() {
        return;
    }
    world.bucket.be_quiet();
    world.bus.be_quiet();
    world.sim.be_punctual();
    world.sim.note(DRAIN, || "everybody stops".to_owned());
    let numbers = 0..world.plan.servers.max(world.plan.workers);
    for process in ["client", "go", "server", "worker"] {
        for number in numbers.clone() {
            executor.kill(Process(process, number));
        }
    }
    (0..world.plan.servers).for_each(|number| world.restart_server(number));
    while executor.step() {}

    sweep(world, executor, SWEPT_AFTER + 2 * world.plan.skew);
    world.history.at_rest(&world.bucket.keys());
    sweep(world, executor, LONG);
    for app in &world.apps {
        if world.history.has_samples(app) == Some(false) {
            world.history.ledger_is_short(app, 0);
        }
    }
    probe(world, executor);
    sweep(world, executor, SWEPT_AFTER + 2 * world.plan.skew);
    world.history.at_rest(&world.bucket.keys());
    for app in &world.apps {
        world.history.ledger_is_short(app, 1);
    }
    download(world, executor);
}

/// Lets `after` go by, and sweeps.
fn sweep(world: &Arc<World>, executor: &mut Executor, after: Duration) {
    let worker = world.worker(DRAIN);
    let sim = Arc::clone(&world.sim);
    let swept = executor.finish(DRAIN, async move {
        sim.sleep(after + Duration::from_secs(1)).await;
        worker.sweep(SWEPT_AFTER, &|| false).await
    });
    match swept {
        Some(Ok(swept)) if swept.failed == 0 && !swept.unfinished => {}
        other => world.history.broken(Wrong::Stuck, format!("a sweep without faults ended with {other:?}")),
    }
}

/// One more upload for each application: its merge is what lets the ledger shrink.
fn probe(world: &Arc<World>, executor: &mut Executor) {
    for (number, app) in world.apps.iter().enumerate() {
        let base = world.bucket.bytes(&Key::base(app).to_string());
        let period = base.and_then(|bytes| Content::read(&bytes).ok()?.period).unwrap_or(Period::Cpu);
        let function = format!("probe{number}");
        let body = profile::cpu(Some(&function), period, &[]);
        let ((_, server), app) = (world.server(), app.clone());
        let history = Arc::clone(&world.history);
        let uploaded = executor.finish(DRAIN, async move {
            let key = server.upload(&app, body, None).await?;
            let id: Id = match key.place {
                autopgo_core::key::Place::Staged(id) => id,
                place => unreachable!("an upload is staged, not {place:?}"),
            };
            let upload = history.upload(function.clone(), app, id, Load::Function(function, period));
            history.accepted(upload);
            Ok::<_, autopgo_core::error::Error>(())
        });
        if !matches!(uploaded, Some(Ok(()))) {
            world.history.broken(Wrong::Refused, format!("an upload without faults ended with {uploaded:?}"));
        }
    }
}

/// What the server gives is what is there.
fn download(world: &Arc<World>, executor: &mut Executor) {
    for app in &world.apps {
        let ((_, server), asked) = (world.server(), app.clone());
        let got = executor.finish(DRAIN, async move {
            let download = server.download(&asked, Form::Full, &|_| false).await;
            download.map(|download| matches!(download, Downloaded::Profile(_)))
        });
        let there = match &got {
            Some(Ok(there)) => Some(*there),
            Some(Err(error)) if error.kind() == Kind::NotFound => Some(false),
            _ => None,
        };
        if there != Some(world.history.has_samples(app) == Some(true)) {
            world.history.broken(Wrong::Broken, format!("a download without faults ended with {got:?}"));
        }
    }
}
