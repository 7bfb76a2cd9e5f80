//! Merges profiles into one, and says what the Go compiler makes of it:
//! `cargo run --example merge -- OUT PROFILE...`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::fs;

use autopgo_pprof::{Accumulator, Edges, Limits, Profile, check};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let out = args.next().ok_or("usage: merge OUT PROFILE...")?;
    let mut sum = Accumulator::new(Profile::empty_cpu());
    for path in args {
        let profile = Profile::parse(&fs::read(&path)?, &Limits::default())?;
        // One heap profile would spoil every build that follows.
        check::upload(&profile)?;
        sum.add(&profile)?;
    }
    let merged = sum.finish();
    fs::write(&out, merged.write())?;

    let edges = Edges::of(&merged)?;
    println!(
        "{} samples, {} call edges, build identity {}",
        merged.sample_count(),
        edges.len(),
        edges.identity()
    );
    for edge in edges.iter().take(edges.hot(Edges::HOT_PERCENT).min(10)) {
        println!("{:>8}  {}:{} -> {}", edge.weight, edge.caller, edge.offset, edge.callee);
    }
    Ok(())
}
