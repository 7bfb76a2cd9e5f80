//! The compiler's edges, sample by sample, as the compiler counts them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Model, Text};

/// Caller, callee, offset.
pub(crate) type Call = (Text, Text, i64);

/// The text of `go tool preprofile`, or `None` when the compiler refuses the profile.
pub(crate) fn preprofile(model: &Model) -> Option<Vec<u8>> {
    let (calls, start_line) = count(model);
    if !start_line && model.samples.iter().any(|sample| sample.values[0] != 0) {
        return None;
    }
    let mut order: Vec<(&Call, &i64)> = calls.iter().collect();
    order.sort_by_key(|&(call, weight)| (-weight, call));
    let mut text = b"GO PREPROFILE V1\n".to_vec();
    for ((caller, callee, offset), weight) in order {
        text.extend([caller, &b"\n"[..], callee, b"\n"].concat());
        text.extend(format!("{offset} {weight}\n").bytes());
    }
    Some(text)
}

/// The weights by the first value of each sample, and whether any function seen has a start line.
fn count(model: &Model) -> (BTreeMap<Call, i64>, bool) {
    let mut calls = BTreeMap::new();
    let mut start_line = false;
    for sample in model.samples.iter().filter(|sample| sample.values[0] != 0) {
        let mut nodes = Vec::new();
        for &id in sample.stack.iter().take(2).rev() {
            let location = model.location(id);
            for line in location.lines.iter().rev() {
                let function = model.function(line.function);
                start_line |= function.start_line != 0;
                nodes.push((function.name.clone(), location.address, function.start_line, line.line));
            }
            if location.lines.is_empty() {
                nodes.push((Text::new(), location.address, 0, 0));
            }
        }
        let pairs: BTreeSet<_> = nodes.windows(2).filter(|pair| pair[0] != pair[1]).collect();
        for pair in pairs {
            let (caller, _, start, line) = &pair[0];
            *calls.entry((caller.clone(), pair[1].0.clone(), line - start)).or_insert(0) += sample.values[0];
        }
    }
    (calls, start_line)
}
