//! The findings of `autopgo inspect`, laid out for people.

use std::fmt::Write;
use std::time::Duration;

use autopgo_core::duration;

use super::inspect::{Findings, Pgo};
use crate::output::human::{count, size};

/// Everything on a screen: one finding a line, then the hottest edges.
pub(crate) fn show(name: &str, findings: &Findings) -> String {
    let mut page = Page::default();
    page.line("profile", name);
    page.line("kind", &format!("{} ({})", findings.kind, findings.sample_types.join(", ")));
    page.line("taken", &taken(findings));
    page.line("samples", &samples(findings));
    page.line(
        "functions",
        &format!("{} in {} locations", count(findings.functions), count(findings.locations)),
    );
    page.line("size", &sizes(findings));
    if let Some(pgo) = &findings.pgo {
        let hot = format!("{} of them hot ({} % of the weight)", count(pgo.hot_edges), pgo.hot_percent);
        page.line("edges", &format!("{}, {hot}", count(pgo.edges)));
        page.line("identity", &pgo.identity);
    }
    match findings.problems.as_slice() {
        [] => page.line("problems", "none"),
        problems => problems.iter().for_each(|problem| page.line("problem", problem)),
    }
    if let Some(pgo) = findings.pgo.as_ref().filter(|pgo| !pgo.hottest.is_empty()) {
        page.hottest(pgo);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, what: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{what:<10} {}", plain(value));
    }

    fn hottest(&mut self, pgo: &Pgo) {
        self.0.push_str("\n\nhottest edges: weight, caller, line within it, callee");
        for edge in &pgo.hottest {
            let share = percent(edge.weight, pgo.total_weight);
            let (caller, callee) = (plain(&edge.caller), plain(&edge.callee));
            let _ = write!(self.0, "\n{share:>6} %  {caller}:{} -> {callee}", edge.offset);
        }
    }
}

fn taken(findings: &Findings) -> String {
    let at = findings.taken_at.map_or("at an unknown time".to_owned(), |at| at.to_string());
    match u64::try_from(findings.duration_nanos) {
        Ok(nanos) if nanos > 0 => format!("{at} for {}", duration::format(Duration::from_nanos(nanos))),
        _ => at,
    }
}

fn samples(findings: &Findings) -> String {
    let mut text = count(findings.samples);
    let cpu = findings.sample_types.iter().position(|kind| kind == "cpu/nanoseconds");
    let total = cpu.and_then(|at| findings.totals.get(at)).and_then(|total| u64::try_from(*total).ok());
    if let Some(nanos) = total {
        let _ = write!(text, ", {} of CPU time", duration::format(Duration::from_nanos(nanos)));
    }
    text
}

fn sizes(findings: &Findings) -> String {
    let mut text = format!("{}, {} unpacked", size(findings.size as u64), size(findings.raw_size));
    if let Some(compacted) = findings.compact_size {
        let _ = write!(text, ", {} compacted", size(compacted as u64));
    }
    text
}

/// With one decimal; integers, so that it is the same everywhere.
fn percent(part: i64, whole: i64) -> String {
    let tenths = i128::from(part) * 1000 / i128::from(whole.max(1));
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Names come from the profile: none of them may speak to the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::inspect::Hot;

    fn findings() -> Findings {
        Findings {
            kind: "cpu",
            sample_types: vec!["samples/count".to_owned(), "cpu/nanoseconds".to_owned()],
            period_type: "cpu/nanoseconds".to_owned(),
            period: 10_000_000,
            totals: vec![150, 1_500_000_000],
            taken_at: "2024-10-28T12:16:34Z".parse().ok(),
            duration_nanos: 30_000_000_000,
            samples: 1234,
            locations: 11_182,
            functions: 3114,
            mappings: 1,
            comments: 0,
            size: 293_923,
            raw_size: 726_133,
            compact_size: Some(20_480),
            pgo: Some(Pgo {
                edges: 3532,
                hot_edges: 812,
                hot_percent: 99.0,
                total_weight: 1000,
                identity: "988f1f408e63".to_owned(),
                hottest: vec![Hot {
                    caller: "main.main".to_owned(),
                    callee: "main.\u{1b}[31mwork".to_owned(),
                    offset: 7,
                    weight: 123,
                }],
            }),
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_good_profile_on_one_screen() {
        assert_eq!(
            show("default.pgo", &findings()),
            "\
profile    default.pgo
kind       cpu (samples/count, cpu/nanoseconds)
taken      2024-10-28T12:16:34Z for 30s
samples    1,234, 1.5s of CPU time
functions  3,114 in 11,182 locations
size       287.0 KiB, 709.1 KiB unpacked, 20.0 KiB compacted
edges      3,532, 812 of them hot (99 % of the weight)
identity   988f1f408e63
problems   none

hottest edges: weight, caller, line within it, callee
  12.3 %  main.main:7 -> main.\u{fffd}[31mwork"
        );
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let bare = Findings {
            kind: "heap",
            taken_at: None,
            duration_nanos: 0,
            sample_types: vec!["inuse_space/bytes".to_owned()],
            pgo: None,
            compact_size: None,
            problems: vec!["one".to_owned(), "two".to_owned()],
            ..findings()
        };
        let text = show("heap.pprof", &bare);
        assert!(text.contains("taken      at an unknown time\n"), "{text}");
        assert!(text.contains("samples    1,234\n"), "{text}");
        assert!(text.ends_with("problem    one\nproblem    two"), "{text}");
    }
}
