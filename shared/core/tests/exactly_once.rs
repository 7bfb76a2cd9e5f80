//! The real server, worker and engine over a bucket and a bus that do everything a real one does wrong, at every
//! await, in an order that a seed decides. `sim/history.rs` says which promises are checked; `sim/plan.rs` what a seed
//! decides; `sim/mutants.rs` how it is proved that broken promises would be seen.
//!
//! When a seed fails, the message ends with the command that runs this seed again, and shows:
//! - the plan: who acts, and how often what fails;
//! - the trace: a line for each thing that happened in the store or on the bus, with the number of the step, the time,
//!   the process, and for each base what it holds and what its ledger names. `u3` is the upload of client 3 and stands
//!   for its id everywhere, `g0` one of the Go server; `air` is where writes are whose sender gave up on them; at
//!   `everybody stops` all processes end, and from then on nothing fails any more;
//! - the promise that was broken, at the step where it was.
//!
//! `AUTOPGO_SIM_SEEDS=100000` runs that many seeds, `AUTOPGO_SIM_SEED=7` the one and shows its trace in any case.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is test code, outside of the test functions too"
)]

mod sim {
    pub(crate) mod actors;
    pub(crate) mod blobs;
    pub(crate) mod bus;
    pub(crate) mod chance;
    pub(crate) mod clock;
    pub(crate) mod executor;
    pub(crate) mod focus;
    pub(crate) mod history;
    pub(crate) mod hunt;
    pub(crate) mod mutants;
    pub(crate) mod plan;
    pub(crate) mod profile;
    pub(crate) mod run;
    pub(crate) mod world;
}

use std::thread::available_parallelism;

use sim::focus;
use sim::history::Wrong;
use sim::hunt::{hunt, told, variable};
use sim::mutants::Mutant;
use sim::plan::Plan;
use sim::run::{Setting, run};

/// Seeds that a plain test run takes: about 15 seconds of two cores.
const SEEDS: u64 = 8000;

type Focus = fn(&mut Plan);

/// What these seeds must have reached, or they prove nothing.
const REACHED: &[&str] = &[
    "a Go server's deletion was applied",
    "a base was emptied",
    "a change was not done",
    "a client sent again",
    "a deletion was answered with 200",
    "a deletion was answered with 404",
    "a late write landed",
    "a ledger shrank",
    "a message was delivered again",
    "a message was dropped",
    "a process died",
    "a read failed",
    "a staged object was put twice",
    "a ticket had ended",
    "a ticket was completed",
    "a write lost its race",
    "a write was refused for nothing",
    "an answer was lost",
    "an upload was set aside",
];

#[test]
fn every_promise_holds() {
    if let Some(seed) = variable("AUTOPGO_SIM_SEED") {
        println!("{}", told(seed, Setting::default()));
        assert!(run(seed, Setting::default(), false).violation.is_none(), "seed {seed} breaks a promise");
        return;
    }
    let seeds = variable("AUTOPGO_SIM_SEEDS").unwrap_or(SEEDS);
    let hunt = hunt(Setting::default(), seeds, available_parallelism().map_or(2, usize::from));
    println!("{} seeds, {} steps in {:.1?}: {:#?}", hunt.seeds, hunt.steps, hunt.took, hunt.counts);
    if let Some(seed) = hunt.found {
        panic!(
            "{}\nAUTOPGO_SIM_SEED={seed} cargo test -p autopgo-core --test exactly_once every_promise -- --nocapture",
            told(seed, Setting::default())
        );
    }
    if seeds >= SEEDS {
        for what in REACHED {
            let times = hunt.counts.get(what).copied().unwrap_or_default();
            assert!(times >= 100, "{what}: only {times} times");
        }
    }
}

#[test]
fn every_promise_holds_where_it_is_narrow() {
    let plans: [(&str, Focus, u64); 10] = [
        ("two_workers_hours_apart", focus::two_workers_hours_apart, 1000),
        ("uploads_hours_apart", focus::uploads_hours_apart, 1000),
        ("two_deletions_one_mark", focus::two_deletions_one_mark, 1000),
        ("deletion_races_the_first_merge", focus::deletion_races_the_first_merge, 1000),
        ("set_aside_and_deleted", focus::set_aside_and_deleted, 3000),
        ("idle_and_mixed", focus::idle_and_mixed, 1000),
        ("mixed_by_several", focus::mixed_by_several, 1000),
        ("completed_twice", focus::completed_twice, 1000),
        ("completed_and_deleted", focus::completed_and_deleted, 1000),
        ("tickets_hours_apart", focus::tickets_hours_apart, 1000),
    ];
    for (name, focus, seeds) in plans {
        let setting = Setting { focus: Some(focus), ..Setting::default() };
        let hunt = hunt(setting, seeds, available_parallelism().map_or(2, usize::from));
        println!("{name}: {} seeds, {} steps in {:.1?}", hunt.seeds, hunt.steps, hunt.took);
        if let Some(seed) = hunt.found {
            panic!("{}\nseed {seed} of the plans {name}", told(seed, setting));
        }
    }
}

#[test]
fn the_same_seed_takes_the_same_steps() {
    for seed in 0..50 {
        let [first, second] = [(); 2].map(|()| run(seed, Setting::default(), true));
        assert!(!first.trace.is_empty());
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!((first.steps, first.counts), (second.steps, second.counts), "seed {seed}");
    }
}

/// Without one of its rules the core breaks this promise, and with it, it does not.
///
/// What is `overlooked` is seen earlier and is not the harm itself.
#[track_caller]
fn breaks(promise: Wrong, within: u64, setting: Setting) {
    let mutant = hunt(setting, within, 1);
    let seed =
        mutant.found.unwrap_or_else(|| panic!("{:?}: not noticed within {within} seeds", setting.mutant));
    let violation = run(seed, setting, false).violation.expect("it was found with this seed");
    println!("{:?}: seed {seed}, {:.1?}: {violation}", setting.mutant, mutant.took);
    assert_eq!(violation.wrong, promise, "{}", told(seed, setting));

    let core = Setting { mutant: None, overlooked: &[], ..setting };
    if let Some(seed) = hunt(core, seed + 1, 1).found {
        panic!("the core itself, with the plans for {:?}: {}", setting.mutant, told(seed, core));
    }
}

/// The core without the rule.
fn without(mutant: Mutant) -> Setting {
    Setting { mutant: Some(mutant), ..Setting::default() }
}

#[test]
fn without_ledger_check() {
    let setting = Setting { overlooked: &[Wrong::Ledger, Wrong::Unnamed], ..without(Mutant::NoLedgerCheck) };
    breaks(Wrong::Twice, 500, setting);
}

#[test]
fn merged_published_before_the_write() {
    let setting = without(Mutant::MergedBeforeWrite);
    breaks(Wrong::Early, 100, setting);
    breaks(Wrong::Lost, 1000, Setting { overlooked: &[Wrong::Early, Wrong::Removed], ..setting });
}

#[test]
fn set_aside_by_removal_then_copy() {
    let setting = without(Mutant::RemoveThenCopy);
    breaks(Wrong::Removed, 500, setting);
    breaks(Wrong::Lost, 2000, Setting { overlooked: &[Wrong::Removed], ..setting });
}

#[test]
fn staged_objects_read_before_the_base() {
    let setting = without(Mutant::StagedBeforeBase);
    breaks(Wrong::Twice, 10_000, Setting { focus: Some(focus::uploads_hours_apart), ..setting });
}

#[test]
fn unconditional_write() {
    let setting = Setting { overlooked: &[Wrong::Back], ..without(Mutant::UnconditionalWrite) };
    breaks(Wrong::Lost, 500, setting);
}

#[test]
fn listing_before_the_base_read() {
    let setting = without(Mutant::ListBeforeBase);
    breaks(Wrong::Twice, 10_000, Setting { focus: Some(focus::two_workers_hours_apart), ..setting });
}

#[test]
fn set_aside_before_the_write() {
    let setting = without(Mutant::RejectBeforeWrite);
    let (focus, overlooked): (_, &[Wrong]) = (Some(focus::mixed_by_several as Focus), &[Wrong::Refused]);
    breaks(Wrong::Both, 1000, Setting { focus, overlooked, ..setting });
}

#[test]
fn no_unique_comment_where_versions_are_hashes() {
    let setting = without(Mutant::NoUniqueComment);
    breaks(Wrong::SameBytes, 500, setting);
    let (focus, overlooked): (_, &[Wrong]) =
        (Some(focus::two_deletions_one_mark as Focus), &[Wrong::SameBytes]);
    breaks(Wrong::Back, 10_000, Setting { focus, overlooked, ..setting });
}

#[test]
fn deletion_that_reads_the_base_before_it_lists() {
    let setting = without(Mutant::DeletionReadsBaseFirst);
    breaks(Wrong::Back, 10_000, Setting { focus: Some(focus::deletion_races_the_first_merge), ..setting });
}

#[test]
fn empty_base_without_ledger() {
    let setting =
        Setting { overlooked: &[Wrong::Removed, Wrong::Unnamed], ..without(Mutant::EmptyWithoutLedger) };
    breaks(Wrong::Back, 2000, setting);
}

#[test]
fn unknown_outcome_taken_as_success() {
    let setting = without(Mutant::UnknownIsSuccess);
    breaks(Wrong::Early, 500, Setting { overlooked: &[Wrong::Removed], ..setting });
    breaks(Wrong::Lost, 1000, Setting { overlooked: &[Wrong::Early, Wrong::Removed], ..setting });
}

#[test]
fn what_was_put_with_a_ticket_removed_before_it_is_staged() {
    breaks(Wrong::Refused, 1000, without(Mutant::RemovedBeforeStaged));
}

#[test]
fn completion_that_looks_at_the_ledger_before_it_looks_at_staging() {
    let setting = without(Mutant::LedgerBeforeStaged);
    breaks(Wrong::Refused, 10_000, Setting { focus: Some(focus::completed_twice), ..setting });
}

#[test]
fn ticket_without_an_end() {
    let setting = without(Mutant::EndlessTicket);
    breaks(Wrong::Twice, 2000, Setting { focus: Some(focus::tickets_hours_apart), ..setting });
}

#[test]
fn staged_write_that_lands_twice_without_grace() {
    breaks(Wrong::Twice, 500, Setting { overlooked: &[Wrong::Back], ..without(Mutant::NoGrace) });
}
