//! The rules of single fields.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

/// The fields of an object, each taken once, until there is none left.
pub(super) struct Fields<'a> {
    name: &'static str,
    fields: &'a Map<String, Value>,
    taken: BTreeSet<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, name: &'static str) -> Result<Self, String> {
        let fields = value.as_object().ok_or_else(|| format!("{name} is no object"))?;
        Ok(Self { name, fields, taken: BTreeSet::new() })
    }

    pub(super) fn optional(&mut self, field: &str) -> Option<&'a Value> {
        self.taken.insert(field.to_owned());
        self.fields.get(field)
    }

    pub(super) fn needed(&mut self, field: &str) -> Result<&'a Value, String> {
        let name = self.name;
        self.optional(field).ok_or_else(|| format!("{name} has no {field}"))
    }

    pub(super) fn optional_text(&mut self, field: &str) -> Result<Option<String>, String> {
        let Some(value) = self.optional(field) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| format!("{field} is no text"))?;
        Ok(Some(text.to_owned()))
    }

    pub(super) fn text(&mut self, field: &str) -> Result<String, String> {
        let name = self.name;
        let text = self.optional_text(field)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| format!("{name} has no {field}"))
    }

    pub(super) fn one_of(&mut self, field: &str, values: &[&str]) -> Result<(), String> {
        let value = self.text(field)?;
        if values.contains(&value.as_str()) {
            return Ok(());
        }
        Err(format!("{field} is {value}, not {}", values.join(" or ")))
    }

    pub(super) fn switch(&mut self, field: &str, default: bool) -> Result<bool, String> {
        let value = self.optional(field).map_or(Some(default), Value::as_bool);
        value.ok_or_else(|| format!("{field} is neither true nor false"))
    }

    /// Nothing is left that nobody knows.
    pub(super) fn end(self) -> Result<(), String> {
        let unknown = self.fields.keys().find(|field| !self.taken.contains(*field));
        unknown.map_or(Ok(()), |unknown| Err(format!("{} has {unknown}, which nobody knows", self.name)))
    }
}

/// A `TimeSpan` of .NET, as these files write it: `hh:mm:ss`.
pub(super) fn span(value: &Value) -> Result<Duration, String> {
    let read = |text: &str| {
        let parts: Vec<&str> = text.split(':').collect();
        let [hours, minutes, seconds] = parts.as_slice() else { return None };
        let number = |part: &str, most: u64| {
            (part.len() == 2).then(|| part.parse::<u64>().ok())?.filter(|number| *number < most)
        };
        Some(number(hours, 24)? * 3600 + number(minutes, 60)? * 60 + number(seconds, 60)?)
    };
    let seconds = value.as_str().and_then(read).filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("{value} is no time of the form hh:mm:ss"))
}

/// A range of versions, as NuGet writes it: from one, which is in it, to another, which is not.
pub(super) fn range(text: &str) -> Result<(), String> {
    let versions = text.strip_prefix('[').and_then(|text| text.strip_suffix(')'));
    let is_version = |text: &str| {
        let parts: Vec<&str> = text.trim().split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
    };
    match versions.and_then(|versions| versions.split_once(',')) {
        Some((from, to)) if is_version(from) && is_version(to) => Ok(()),
        _ => Err(format!("{text} is no range of versions")),
    }
}

/// A function's name, which is that of its folder (`Utility.IsValidFunctionName` of the host).
pub(super) fn function_name(name: &str) -> Result<(), String> {
    let mut letters = name.bytes();
    let starts = letters.next().is_some_and(|first| first.is_ascii_alphabetic());
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || b"_-".contains(&letter));
    if starts && goes_on && name.len() <= 127 && name != "host" {
        return Ok(());
    }
    Err("its folder's name is no name of a function".to_owned())
}

/// What a binding may be called: as a parameter (`BindingMetadata` of the host).
pub(super) fn binding_name(name: &str) -> Result<(), String> {
    let mut letters = name.bytes();
    let starts = letters.next().is_some_and(|first| first.is_ascii_alphabetic());
    if name == "$return" || (starts && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_'))
    {
        return Ok(());
    }
    Err(format!("{name} is no name of a binding"))
}

/// A route without what cannot be told here: the whole rest of a path, or one as it stands.
pub(super) fn route(route: &str) -> Result<(), String> {
    let inner = route.strip_prefix("{*").and_then(|route| route.strip_suffix('}'));
    let is_rest =
        inner.is_some_and(|name| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric()));
    if is_rest || (!route.starts_with('/') && !route.contains(['{', '}'])) {
        return Ok(());
    }
    Err(format!("{route} is no route that is known here"))
}

/// Methods, in capitals.
pub(super) fn methods(value: &Value) -> Result<Vec<String>, String> {
    const KNOWN: [&str; 7] = ["get", "post", "delete", "head", "patch", "put", "options"];
    let methods = value.as_array().ok_or("methods is no array")?;
    let methods = methods.iter().map(|method| {
        let known = method.as_str().filter(|method| KNOWN.contains(method));
        known.map(str::to_uppercase).ok_or_else(|| format!("{method} is no method"))
    });
    methods.collect()
}

/// An NCRONTAB expression: second, minute, hour, day, month, day of the week
/// (<https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions>).
pub(super) fn schedule(text: &str) -> Result<(), String> {
    const FIELDS: [(u32, u32); 6] = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    let fields: Vec<&str> = text.split(' ').collect();
    let is_number = |text: &str, (least, most): (u32, u32)| {
        text.parse::<u32>().is_ok_and(|number| (least..=most).contains(&number))
    };
    let is_item = |item: &str, range: (u32, u32)| {
        let (base, step) = item.split_once('/').unwrap_or((item, "1"));
        let is_base = base == "*"
            || match base.split_once('-') {
                Some((from, to)) => is_number(from, range) && is_number(to, range),
                None => is_number(base, range),
            };
        is_base && step.parse::<u32>().is_ok_and(|step| step > 0)
    };
    let is_schedule = fields.len() == FIELDS.len()
        && fields.iter().zip(FIELDS).all(|(field, range)| field.split(',').all(|item| is_item(item, range)));
    if is_schedule { Ok(()) } else { Err(format!("{text:?} is no schedule in six fields")) }
}
