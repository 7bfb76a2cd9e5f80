//! Every pattern of the golden table, made by `tests/oracle` with Go's own `regexp`: refused in the same words, or
//! matching the same names.

use std::collections::HashSet;

use autopgo_core::rules::GoRegexp;
use serde::Deserialize;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/golden/regexp.json");

#[derive(Deserialize)]
struct Table {
    names: Vec<String>,
    patterns: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    pattern: String,
    error: Option<String>,
    matches: HashSet<String>,
}

#[test]
fn every_pattern_is_read_as_go_reads_it() {
    let text = std::fs::read_to_string(TABLE).expect(TABLE);
    let table: Table = serde_json::from_str(&text).expect(TABLE);
    assert!(table.patterns.len() >= 150 && table.names.len() >= 25, "the table is cut short");

    let mut differences = Vec::new();
    for Row { pattern, error, matches } in table.patterns {
        match (GoRegexp::new(&pattern), error) {
            (Ok(regexp), None) => {
                for name in &table.names {
                    if regexp.is_match(name) != matches.contains(name) {
                        differences
                            .push(format!("{pattern:?} on {name:?}: Go says {}", matches.contains(name)));
                    }
                    if regexp.needs_bracket() && matches.contains(name) && !name.contains(['(', ')']) {
                        differences.push(format!("{pattern:?} on {name:?}: matched without a bracket"));
                    }
                }
            }
            (Err(ours), Some(theirs)) if ours.what() == theirs => {}
            (ours, theirs) => differences.push(format!("{pattern:?}: {ours:?}, Go says {theirs:?}")),
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
