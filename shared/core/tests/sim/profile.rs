//! Tiny profiles: one function of its own an upload, so that each upload can be counted in a base; and a base read back
//! into such counts. Written by hand, byte by byte, so that the engine's own encoder is under test and not its own judge.

use std::collections::{BTreeMap, BTreeSet};

use autopgo_core::key::Id;
use autopgo_core::ledger::Ledger;
use autopgo_pprof::{Edges, Limits, Profile};
use bytes::Bytes;
use jiff::Timestamp;

/// What the one sample of an upload weighs, in either value.
const WEIGHT: i64 = 7;

/// Which values a profile holds, as far as merging cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Period {
    /// As Go's runtime writes them.
    Cpu,
    /// Another period type: passes an upload's checks, does not fit a base of the other kind.
    Wall,
}

/// A CPU profile of one sample: `main.main` calls `function`. With no function there is no sample: an idle service.
pub(crate) fn cpu(function: Option<&str>, period: Period, comments: &[String]) -> Bytes {
    let period = if period == Period::Cpu { "cpu" } else { "wall" };
    written(["samples", "count", "cpu", "nanoseconds", period, "nanoseconds"], function, comments)
}

/// A heap profile: a Go server stages it all the same.
pub(crate) fn heap(function: &str) -> Bytes {
    written(["inuse_objects", "count", "inuse_space", "bytes", "space", "bytes"], Some(function), &[])
}

/// The wire format of pprof's profile.proto, the fields that are needed.
fn written(kinds: [&str; 6], function: Option<&str>, comments: &[String]) -> Bytes {
    let mut texts = vec![""];
    let mut text = |text| {
        texts.push(text);
        texts.len() as u64 - 1
    };
    let kinds = kinds.map(&mut text);
    let functions = [text(function.unwrap_or("unused")), text("main.main")];
    let comment_texts: Vec<u64> = comments.iter().map(|comment| text(comment)).collect();
    let kind = |at: usize| message(|out| field(field(out, 1, kinds[at]), 2, kinds[at + 1]));

    let mut out = Vec::new();
    bytes(&mut out, 1, &kind(0));
    bytes(&mut out, 1, &kind(2));
    if function.is_some() {
        let packed = |numbers: [u64; 2]| {
            numbers.into_iter().fold(Vec::new(), |mut out, number| {
                varint(&mut out, number);
                out
            })
        };
        let mut sample = Vec::new();
        bytes(&mut sample, 1, &packed([1, 2]));
        bytes(&mut sample, 2, &packed([WEIGHT.unsigned_abs(); 2]));
        bytes(&mut out, 2, &sample);
        for (id, line) in [(1, 12), (2, 5)] {
            let line = message(|out| field(field(out, 1, id), 2, line));
            let mut location = message(|out| field(out, 1, id));
            bytes(&mut location, 4, &line);
            bytes(&mut out, 4, &location);
        }
        for (id, name) in [(1, functions[0]), (2, functions[1])] {
            let function = message(|out| field(field(field(field(out, 1, id), 2, name), 3, name), 5, id));
            bytes(&mut out, 5, &function);
        }
    }
    for text in texts {
        bytes(&mut out, 6, text.as_bytes());
    }
    bytes(&mut out, 11, &kind(4));
    field(&mut out, 12, 10_000_000);
    for text in comment_texts {
        field(&mut out, 13, text);
    }
    autopgo_pprof::gzip::deflate(&out).into()
}

fn message(write: impl FnOnce(&mut Vec<u8>) -> &mut Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn field(out: &mut Vec<u8>, number: u64, value: u64) -> &mut Vec<u8> {
    varint(out, number << 3);
    varint(out, value);
    out
}

fn bytes(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What a base holds, by the words of the specification and not by the code under test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// How often each function's upload is in it.
    pub(crate) counts: BTreeMap<String, u64>,
    /// The kind of its values; `None` while it has no samples.
    pub(crate) period: Option<Period>,
    /// Its ledger.
    pub(crate) decided: BTreeSet<Id>,
    /// Its mark.
    pub(crate) mark: Option<Timestamp>,
    /// Whether it says that its bytes are unique.
    pub(crate) unique: bool,
}

impl Content {
    /// Reads a base profile.
    pub(crate) fn read(base: &[u8]) -> Result<Self, String> {
        let profile = Profile::parse(base, &Limits::default()).map_err(|error| error.to_string())?;
        // How ids are packed has tests of its own.
        let decided = Ledger::take(&mut profile.clone()).map_err(|error| error.to_string())?.decided;
        let mut content = Self { decided, ..Self::default() };
        for comment in profile.comments() {
            let Some(reserved) = comment.strip_prefix("autopgo:") else { continue };
            match reserved.split_once(':') {
                Some(("decided", _)) if !content.decided.is_empty() => {}
                Some(("deleted", time)) => {
                    let time = time.parse().map_err(|_| format!("comment {comment:?} has no time"))?;
                    if content.mark.replace(time).is_some() {
                        return Err("there are two marks".to_owned());
                    }
                }
                Some(("base", _)) if !content.unique => content.unique = true,
                _ => return Err(format!("comment {comment:?} does not belong here")),
            }
        }
        if profile.sample_count() > 0 {
            content.period =
                Some(if profile.period_type().kind == "wall" { Period::Wall } else { Period::Cpu });
        }
        for edge in Edges::of(&profile).map_err(|error| error.to_string())?.iter() {
            if edge.weight % WEIGHT != 0 || edge.weight < 0 {
                return Err(format!("{} weighs {}, which is no number of uploads", edge.callee, edge.weight));
            }
            *content.counts.entry(edge.callee.into_owned()).or_default() +=
                (edge.weight / WEIGHT).unsigned_abs();
        }
        Ok(content)
    }

    /// How often the upload with this function is in it.
    pub(crate) fn count(&self, function: &str) -> u64 {
        self.counts.get(function).copied().unwrap_or_default()
    }
}
