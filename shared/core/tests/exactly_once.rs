//! x
mod sim {
    pub(crate) mod actors;
    pub(crate) mod blobs;
    pub(crate) mod bus;
    pub(crate) mod chance;
    pub(crate) mod clock;
    pub(crate) mod executor;
    pub(crate) mod history;
    pub(crate) mod mutants;
    pub(crate) mod plan;
    pub(crate) mod profile;
    pub(crate) mod run;
    pub(crate) mod world;
}
use sim::run::{Setting, run};
#[test]
fn holds() {
    let seeds: u64 = std::env::var("AUTOPGO_SIM_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1000);
    let first: u64 = std::env::var("AUTOPGO_SIM_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let start = std::time::Instant::now();
    let mut steps = 0;
    let mut counts = std::collections::BTreeMap::new();
    let mut bad: Vec<(u64, u64, String)> = vec![];
    for seed in first..first + seeds {
        let report = run(seed, Setting::default(), false);
        steps += report.steps;
        for (k, v) in report.counts {
            *counts.entry(k).or_insert(0) += v;
        }
        if let Some(v) = report.violation {
            bad.push((report.steps, seed, v.to_string()));
        }
    }
    println!("{seeds} seeds {steps} steps {:?}", start.elapsed());
    println!("{counts:#?}");
    bad.sort();
    println!("{} bad", bad.len());
    for b in bad.iter().take(20) {
        println!("{b:?}");
    }
    if let Some((_, seed, _)) = bad.first() {
        let r = run(*seed, Setting::default(), true);
        println!("{:#?}", r.plan);
        for l in r.trace {
            println!("{l}");
        }
        panic!();
    }
}
