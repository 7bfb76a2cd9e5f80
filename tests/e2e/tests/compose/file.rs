//! The file, as `docker compose` reads it: with what stands in `.env` in the place of its variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autopgo_e2e::paths::root;
use serde_json::Value;

pub(crate) struct Compose(Value);

impl Compose {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(root().join("infra/compose.yaml")).expect("a file");
        let told: Value = serde_saphyr::from_str(&text).expect("YAML");
        let compose = Self(told);
        // What all of them have is said once in the file.
        assert!(compose.services().all(|(_, service)| service.get("<<").is_none()), "merges are not read");
        compose
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["services"].as_object().expect("services").iter()
    }

    fn service(&self, name: &str) -> &Value {
        &self.0["services"][name]
    }

    /// A service's command.
    pub(crate) fn command(&self, name: &str) -> Vec<String> {
        let words = self.service(name)["command"].as_array().expect("a command");
        words.iter().map(|word| word.as_str().expect("text").to_owned()).collect()
    }

    /// A service's environment.
    pub(crate) fn environment(
        &self,
        name: &str,
        secrets: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let environment = self.service(name)["environment"].as_object().expect("an environment");
        let value = |value: &Value| filled(value.as_str().expect("compose files have text here"), secrets);
        environment.iter().map(|(name, told)| (name.clone(), value(told))).collect()
    }

    /// Where a file of the container is, if it is one of the repository.
    pub(crate) fn outside(&self, name: &str, inside: &str) -> PathBuf {
        let volumes = self.service(name)["volumes"].as_array().expect("volumes");
        let mut places = volumes.iter().filter_map(|volume| {
            let mut parts = volume.as_str().expect("text").split(':');
            let (from, to) = (parts.next()?, parts.next()?);
            let below = Path::new(inside).strip_prefix(to).ok()?;
            let place = root().join("infra").join(from.strip_prefix("./")?);
            Some(if below.as_os_str().is_empty() { place } else { place.join(below) })
        });
        places.next_back().unwrap_or_else(|| panic!("{name} has no {inside}"))
    }

    /// The URL that a service's health check asks.
    pub(crate) fn health(&self, name: &str) -> String {
        let test = self.service(name)["healthcheck"]["test"].as_array().expect("a test");
        test.last().and_then(Value::as_str).expect("a URL").to_owned()
    }
}

/// The lines `NAME=value` of a `.env`, some in quotes.
pub(crate) fn dot_env(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).expect("a .env");
    let lines = text.lines().map(|line| line.split_once('=').expect("NAME=value"));
    lines.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

/// `${NAME}`, `${NAME:-default}` and `${NAME:?message}`.
fn filled(text: &str, secrets: &BTreeMap<String, String>) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (named, after) = rest.split_once('}').expect("an end");
    let (name, otherwise) = named.split_once(':').unwrap_or((named, "?"));
    let value = match (secrets.get(name), otherwise.split_at(1)) {
        (Some(value), _) => value,
        (None, ("-", default)) => default,
        (None, _) => panic!("{name} is not made up"),
    };
    format!("{before}{value}{}", filled(after, secrets))
}
