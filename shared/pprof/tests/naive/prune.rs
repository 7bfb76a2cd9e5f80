//! Pruning: cut the locations, then look at each stack from its root.

use super::Model;

/// `matches` is asked for whole names.
pub(crate) fn prune(model: &mut Model, matches: &dyn Fn(&[u8]) -> bool) {
    let mut whole = Vec::new();
    let mut beneath = Vec::new();
    for at in 0..model.locations.len() {
        let names: Vec<_> =
            model.locations[at].lines.iter().map(|l| model.function(l.function).name.clone()).collect();
        let location = &mut model.locations[at];
        match names.iter().rposition(|name| !name.is_empty() && matches(name)) {
            None => {}
            Some(last) if last + 1 == names.len() => whole.push(location.id),
            Some(inner) => {
                beneath.push(location.id);
                location.lines.drain(..=inner);
            }
        }
    }
    for sample in &mut model.samples {
        let marked = |id: &u64| whole.contains(id) || beneath.contains(id);
        let Some(first_user) = sample.stack.iter().rposition(|id| !marked(id)) else { continue };
        let Some(cut) = sample.stack[..first_user].iter().rposition(marked) else { continue };
        let gone = if whole.contains(&sample.stack[cut]) { cut + 1 } else { cut };
        sample.stack.drain(..gone);
    }
}
