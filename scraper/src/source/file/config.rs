//! The config file's grammar: an array of objects with `address`, `path` and `app`.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::jsonc::{self, Located, Position};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::target::Target;

/// What a config file says.
#[derive(Debug)]
pub(super) struct Config {
    /// Its targets, each once.
    pub(super) targets: Vec<Arc<Target>>,
    /// What can be used but looks like a mistake, with file, line and column.
    pub(super) oddities: Vec<String>,
}

/// Reads `bytes`, a file called `name`; targets that name no application belong to `app`.
///
/// # Errors
/// `Invalid`: `name:line:column: what is wrong`.
pub(super) fn parse(bytes: &[u8], name: &str, app: Option<&App>) -> Result<Config> {
    let entries: Vec<Located<Entry>> = jsonc::parse(jsonc::text(bytes, name)?, name)?;
    let mut config = Config { targets: Vec::with_capacity(entries.len()), oddities: Vec::new() };
    let mut listed = HashSet::new();
    for Located { value: entry, at } in entries {
        if !entry.unknown.is_empty() {
            let unknown = entry.unknown.join(", ");
            config.oddities.push(format!("{name}:{at}: unknown fields are ignored: {unknown}"));
        }
        let target =
            entry.target(at, app).map_err(|(at, error)| error.during(format_args!("{name}:{at}")))?;
        let target = Arc::new(target);
        if listed.insert(Arc::clone(&target)) {
            config.targets.push(target);
        } else {
            config.oddities.push(format!("{name}:{at}: {target} is listed before and counts once"));
        }
    }
    Ok(config)
}

/// One object of the array. As in Go, the case of field names does not matter and `null` is the same as nothing.
#[derive(Default)]
struct Entry {
    address: Option<Located<String>>,
    path: Option<Located<String>>,
    app: Option<Located<String>>,
    unknown: Vec<String>,
}

impl Entry {
    /// The target, or what is wrong with it and where; `at` is where the object begins.
    fn target(self, at: Position, app: Option<&App>) -> Result<Target, (Position, Error)> {
        let missing = |what| (at, Error::new(Kind::Invalid, what));
        let app = match (&self.app, app) {
            (Some(name), _) if !name.is_empty() => App::parse(name).map_err(|error| (name.at, error))?,
            (_, Some(app)) => app.clone(),
            (_, None) => {
                return Err(missing("the target has no \"app\"; give it one, or all of them by --app"));
            }
        };
        let address = self.address.ok_or_else(|| missing("the target has no \"address\""))?;
        let path = self.path.as_ref().map_or("", |path| path.as_str());
        Target::new(&address, path, app).map_err(|error| {
            // The path can only be at fault once the address is good.
            let path = self.path.filter(|_| error.what().starts_with("the path"));
            (path.map_or(address.at, |path| path.at), error)
        })
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target: {\"address\": \"http://host:port\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut entry = Entry::default();
        while let Some(name) = map.next_key::<String>()? {
            let field = match name.to_ascii_lowercase().as_str() {
                "address" => &mut entry.address,
                "path" => &mut entry.path,
                "app" => &mut entry.app,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    entry.unknown.push(name);
                    continue;
                }
            };
            if field.is_some() {
                return Err(A::Error::custom(format_args!("the target has two fields {name:?}")));
            }
            *field = map.next_value()?;
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        App::parse("all").expect("good")
    }

    #[test]
    fn the_documented_example() {
        let text = r#"[
          {
            // The scheme, host & port combination of the target.
            "address": "http://localhost:5000",
            // The path to the pprof profile endpoint, defaults to /debug/pprof/profile.
            "path": "/debug/pprof/profile"
          }
        ]"#;
        let config = parse(text.as_bytes(), "config.json", Some(&app())).expect("good");
        assert_eq!(
            config.targets,
            [Arc::new(Target::new("http://localhost:5000", "", app()).expect("good"))]
        );
        assert!(config.oddities.is_empty());
    }

    #[test]
    fn each_target_may_name_its_app() {
        let text = r#"[{"address": "http://a:1", "app": "one"}, {"Address": "http://a:1", "app": null}, {"address": "http://b", "app": ""},]"#;
        let config = parse(text.as_bytes(), "c", Some(&app())).expect("good");
        let listed: Vec<_> =
            config.targets.iter().map(|target| format!("{} {target}", target.app())).collect();
        assert_eq!(
            listed,
            [
                "one http://a:1/debug/pprof/profile",
                "all http://a:1/debug/pprof/profile",
                "all http://b/debug/pprof/profile"
            ]
        );
        parse(br#"[{"address": "http://a:1", "app": "one"}]"#, "c", None).expect("needs no other name");
        parse(b"[]", "c", None).expect("an empty list is one");
    }

    #[test]
    fn oddities_are_told_and_used() {
        let text = "[{\"address\": \"http://a\", \"labels\": {\"x\": [1]}, \"interval\": 5},\n {\"address\": \"http://a/\"}]";
        let config = parse(text.as_bytes(), "c.json", Some(&app())).expect("good");
        assert_eq!(config.targets.len(), 1);
        assert_eq!(
            config.oddities,
            [
                "c.json:1:2: unknown fields are ignored: labels, interval",
                "c.json:2:2: http://a/debug/pprof/profile is listed before and counts once"
            ]
        );
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, says) in [
            ("", "c.json:1:1: there is no JSON in it"),
            ("<html>", "c.json:1:1: "),
            ("{}", "c.json:1:1: invalid type: map, expected a sequence"),
            (
                "[\"http://a\"]",
                "c.json:1:2: invalid type: string \"http://a\", expected a target: {\"address\"",
            ),
            ("[\n {}]", "c.json:2:2: the target has no \"app\"; give it one, or all of them by --app"),
            ("[\n {\"app\": \"a\"}]", "c.json:2:2: the target has no \"address\""),
            (
                "[{\"app\": \"a\", \"address\": 5}]",
                "c.json:1:26: invalid type: integer `5`, expected a string",
            ),
            ("[{\"app\": \"A\"}]", "c.json:1:10: the application name has 'A' in it"),
            ("[{\"app\": \"a\",\n\"address\": \"a:1\"}]", "c.json:2:12: the address \"a:1\" has no http://"),
            (
                "[{\"app\": \"a\", \"address\": \"http://a\",\n\"path\": \"/#x\"}]",
                "c.json:2:9: the path has a fragment",
            ),
            ("[{\"app\": \"a\",\n \"App\": \"b\"}]", "c.json:1:2: the target has two fields \"App\""),
            ("[{\"address\": \"http://a\"}", "c.json:1:1: "),
        ] {
            let error = parse(text.as_bytes(), "c.json", None).expect_err(text);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().starts_with(says), "{text:?}: {error}");
        }
        let error = parse(b"[\"\xff\"]", "c.json", None).expect_err("not UTF-8");
        assert!(error.what().starts_with("c.json:1:3: not UTF-8"), "{error}");
    }
}
