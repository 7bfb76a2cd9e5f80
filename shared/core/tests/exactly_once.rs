//! x
mod sim {
    pub(crate) mod actors;
    pub(crate) mod blobs;
    pub(crate) mod bus;
    pub(crate) mod chance;
    pub(crate) mod clock;
    pub(crate) mod executor;
    pub(crate) mod history;
    pub(crate) mod hunt;
    pub(crate) mod mutants;
    pub(crate) mod plan;
    pub(crate) mod profile;
    pub(crate) mod run;
    pub(crate) mod world;
}

use sim::run::{run, Setting};
use sim::hunt::*;
use sim::mutants::Mutant;
use sim::mutants::Mutant::*;

#[test]
fn holds() {
    let h = hunt(Setting::default(), variable("AUTOPGO_SIM_SEEDS").unwrap_or(3000), 2);
    println!("{} seeds {} steps {:?} {:#?}", h.seeds, h.steps, h.took, h.counts);
    if let Some(seed) = h.found { println!("{}", told(seed, Setting::default())); panic!("seed {seed}"); }
}
#[test]
fn mutants() {
    use sim::history::Wrong::{self, *};
    use sim::plan::Plan;
    use sim::mutants::focus::*;
    let table: &[(Mutant, Option<fn(&mut Plan)>, &'static [Wrong])] = &[
        (NoLedgerCheck, None, &[Ledger, Unnamed]),
        (MergedBeforeWrite, None, &[]),
        (MergedBeforeWrite, None, &[Early, Removed]),
        (RemoveThenCopy, None, &[Removed]),
        (StagedBeforeBase, None, &[]),
        (UnconditionalWrite, None, &[]),
        (ListBeforeBase, Some(two_workers_hours_apart), &[]),
        (RejectBeforeWrite, None, &[]),
        (NoUniqueComment, None, &[]),
        (NoUniqueComment, Some(two_deletions_one_mark), &[SameBytes]),
        (DeletionReadsBaseFirst, None, &[]),
        (EmptyWithoutLedger, None, &[Removed, Unnamed]),
        (UnknownIsSuccess, None, &[Early, Removed]),
        (NoGrace, None, &[]),
    ];
    for &(m, focus, overlooked) in table {
        if let Ok(w) = std::env::var("WHICH") { if !format!("{m:?}").contains(&w) { continue; } }
        let setting = Setting { mutant: Some(m), focus, overlooked };
        let h = hunt(setting, variable("AUTOPGO_SIM_SEEDS").unwrap_or(10000), 2);
        let v = h.found.map(|s| run(s, setting, false).violation.unwrap().to_string());
        println!("{m:?} {:?} {:?} {:?}", h.found, v, h.took);
        if h.found.is_none() { println!("{:#?}", h.counts); }
        if variable("TRACE") == Some(1) && h.found.is_some() { println!("{}", told(h.found.unwrap(), setting)) }
        let setting = Setting { mutant: None, focus, overlooked: &[] };
        let h = hunt(setting, h.found.unwrap_or(3000), 2);
        if let Some(s) = h.found { println!("{}", told(s, setting)) };
    }
}

#[test]
fn one() {
    use sim::history::Wrong::*;
    use sim::mutants::focus::*;
    let _ = (two_workers_hours_apart as fn(&mut _), two_deletions_one_mark as fn(&mut _));
    let t = std::env::var("WHICH").unwrap_or_default();
    let setting = match t.as_str() {
        "del" => Setting { mutant: Some(DeletionReadsBaseFirst), focus: None, overlooked: &[] },
        "empty" => Setting { mutant: Some(EmptyWithoutLedger), focus: None, overlooked: &[Removed, Unnamed] },
        "list" => Setting { mutant: Some(ListBeforeBase), focus: Some(two_workers_hours_apart), overlooked: &[] },
        "uniq" => Setting { mutant: Some(NoUniqueComment), focus: Some(two_deletions_one_mark), overlooked: &[SameBytes] },
        "staged" => Setting { mutant: Some(StagedBeforeBase), focus: None, overlooked: &[] },
        _ => return,
    };
    println!("{}", told(variable("AUTOPGO_SIM_SEED").unwrap_or(0), setting));
}
