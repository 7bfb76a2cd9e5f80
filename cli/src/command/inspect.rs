//! `autopgo inspect`: what a profile file holds, what the compiler will make of it, and what is wrong with it.

use autopgo_core::error::Error;
use autopgo_core::limits::Limits;
use autopgo_pprof::{Edges, Profile, check, compact, gzip};
use jiff::Timestamp;
use serde::Serialize;

use super::show::show;
use crate::args::files::Inspect;
use crate::output::{self, Failure, file};

/// How many of the heaviest edges are shown.
const HOTTEST: usize = 10;

/// What there is to know of a profile: the result, as `--json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Findings {
    /// `cpu`, `heap`, `goroutine`, `contention`, `threadcreate` or `other`.
    pub(crate) kind: &'static str,
    pub(crate) sample_types: Vec<String>,
    pub(crate) period_type: String,
    pub(crate) period: i64,
    /// The sums of all values, one a sample type.
    pub(crate) totals: Vec<i128>,
    pub(crate) taken_at: Option<Timestamp>,
    pub(crate) duration_nanos: i64,
    pub(crate) samples: usize,
    pub(crate) locations: usize,
    pub(crate) functions: usize,
    pub(crate) mappings: usize,
    pub(crate) comments: usize,
    /// Bytes of the file.
    pub(crate) size: usize,
    /// Bytes of the profile when it is not in gzip.
    pub(crate) raw_size: u64,
    /// Bytes of the compacted form in gzip. Absent, as the next, for what the compiler cannot use.
    pub(crate) compact_size: Option<usize>,
    pub(crate) pgo: Option<Pgo>,
    /// Why a server or the compiler would refuse it, or make little of it.
    pub(crate) problems: Vec<String>,
}

/// What the Go compiler reads of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pgo {
    pub(crate) edges: usize,
    /// Of them, those that the compiler treats as hot.
    pub(crate) hot_edges: usize,
    /// The share of all weight that the hot edges have at the least, in percent.
    pub(crate) hot_percent: f64,
    pub(crate) total_weight: i64,
    /// SHA-256 of what `go tool preprofile` makes of it: the same identity, the same binary.
    pub(crate) identity: String,
    pub(crate) hottest: Vec<Hot>,
}

/// One of the heaviest edges.
#[derive(Serialize)]
pub(crate) struct Hot {
    pub(crate) caller: String,
    pub(crate) callee: String,
    /// The line of the call, counted from the first line of the caller.
    pub(crate) offset: i64,
    pub(crate) weight: i64,
}

pub(crate) fn run(args: &Inspect) -> Result<(), Failure> {
    let bytes = file::read(&args.profile)?;
    let name = file::name(&args.profile);
    let profile = file::parse(&bytes, &name)?;
    let findings = inspect(&profile, &bytes).map_err(|error| error.during(&name))?;
    if args.json { output::json(&findings) } else { output::write(show(&name, &findings)) }
}

fn inspect(profile: &Profile, bytes: &[u8]) -> Result<Findings, Error> {
    let edges = Edges::of(profile).ok();
    let compact_size = match &edges {
        Some(_) => Some(compact(profile)?.write().len()),
        None => None,
    };
    let sample_types: Vec<String> = profile.sample_types().map(|kind| kind.to_string()).collect();
    let period_type = profile.period_type();
    Ok(Findings {
        kind: kind(&sample_types),
        period_type: if period_type.kind.is_empty() { String::new() } else { period_type.to_string() },
        sample_types,
        period: profile.period(),
        totals: profile.totals(),
        taken_at: taken_at(profile.time_nanos()),
        duration_nanos: profile.duration_nanos(),
        samples: profile.sample_count(),
        locations: profile.location_count(),
        functions: profile.function_count(),
        mappings: profile.mapping_count(),
        comments: profile.comments().len(),
        size: bytes.len(),
        raw_size: profile.encoded_len(),
        compact_size,
        pgo: edges.as_ref().map(pgo),
        problems: problems(profile, bytes, edges.as_ref()),
    })
}

fn pgo(edges: &Edges) -> Pgo {
    let hottest = edges.iter().take(HOTTEST).map(|edge| Hot {
        caller: edge.caller.into_owned(),
        callee: edge.callee.into_owned(),
        offset: edge.offset,
        weight: edge.weight,
    });
    Pgo {
        edges: edges.len(),
        hot_edges: edges.hot(Edges::HOT_PERCENT),
        hot_percent: Edges::HOT_PERCENT,
        total_weight: edges.total_weight(),
        identity: edges.identity().to_string(),
        hottest: hottest.collect(),
    }
}

/// What the profile is of, by the sample types that Go's runtime gives to each.
fn kind(sample_types: &[String]) -> &'static str {
    let first = sample_types.first().map_or("", String::as_str);
    match first {
        "samples/count" if sample_types.iter().any(|kind| kind == "cpu/nanoseconds") => "cpu",
        "alloc_objects/count" | "inuse_objects/count" => "heap",
        "contentions/count" => "contention",
        "goroutine/count" => "goroutine",
        "threadcreate/count" => "threadcreate",
        _ => "other",
    }
}

fn taken_at(nanos: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanos.into()).ok().filter(|_| nanos != 0)
}

fn problems(profile: &Profile, bytes: &[u8], edges: Option<&Edges>) -> Vec<String> {
    let limits = Limits::default();
    let mut problems = Vec::new();
    if let Err(error) = check::upload(profile) {
        problems.push(error.to_string());
    }
    if let Err(error) = profile.fits(&limits.upload()) {
        problems.push(format!("a server refuses it by default: {error}"));
    }
    if bytes.len() as u64 > limits.ticket_bytes {
        problems.push(format!("a server refuses more than {} bytes by default", limits.ticket_bytes));
    }
    if profile.sample_count() == 0 {
        problems.push("it has no samples: the program was idle while it was taken".to_owned());
    } else if edges.is_some_and(Edges::is_empty) {
        problems.push("no sample has a call in it that the compiler could use".to_owned());
    }
    if !gzip::is_gzip(bytes) {
        problems.push("it is not compressed; `autopgo merge` writes it as gzip".to_owned());
    }
    problems
}
