//! Partial answers: `fields=items(name,size),nextPageToken`
//! (<https://cloud.google.com/storage/docs/json_api#partial-response>). A client that forgets to ask for a field does not
//! get it.

use serde_json::{Map, Value};

/// What of `value` the mask names. No mask names everything.
pub(super) fn apply(value: Value, mask: Option<&String>) -> Value {
    match mask {
        Some(mask) if !mask.is_empty() && mask != "*" => cut(value, mask),
        _ => value,
    }
}

fn cut(value: Value, mask: &str) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| cut(item, mask)).collect(),
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, below) in names(mask) {
                if let Some(field) = fields.get(name) {
                    let field = field.clone();
                    kept.insert(name.to_owned(), below.map_or(field.clone(), |below| cut(field, below)));
                }
            }
            Value::Object(kept)
        }
        other => other,
    }
}

/// The names of a mask, each with the mask in the brackets behind it.
fn names(mask: &str) -> Vec<(&str, Option<&str>)> {
    let (mut names, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in mask.char_indices().chain([(mask.len(), ',')]) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                let part = mask.get(from..at).unwrap_or_default();
                names.push(match part.split_once('(') {
                    Some((name, below)) => (name, Some(below.strip_suffix(')').unwrap_or(below))),
                    None => (part, None),
                });
                from = at + 1;
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_asked_for_is_not_answered() {
        let value = json!({"kind": "x", "items": [{"name": "a", "size": "1"}, {"name": "b"}], "next": "t"});
        for (mask, expected) in [
            ("items(name),next", json!({"items": [{"name": "a"}, {"name": "b"}], "next": "t"})),
            ("items(name,size)", json!({"items": [{"name": "a", "size": "1"}, {"name": "b"}]})),
            ("kind,none", json!({"kind": "x"})),
            ("*", value.clone()),
        ] {
            assert_eq!(apply(value.clone(), Some(&mask.to_owned())), expected, "{mask}");
        }
        assert_eq!(apply(value.clone(), None), value);
    }
}
