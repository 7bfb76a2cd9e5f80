//! Reads the prune file, and looks for rules that are not what their writer meant.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use autopgo_pprof::prune::Names;
use serde::Deserialize;

use super::{GoRegexp, Rule, Rules};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::jsonc::{self, Located};

/// The rules of one application, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with \"app\" and \"rules\"")]
struct Written {
    app: Located<String>,
    rules: Vec<WrittenRule>,
}

/// A rule, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with \"drop\"")]
struct WrittenRule {
    drop: Located<String>,
    keep: Option<Located<String>>,
    #[serde(rename = "match")]
    names: Option<WrittenNames>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenNames {
    Simplified,
    Full,
}

/// Reads and compiles `text`, the content of the file `name`.
///
/// # Errors
/// `Invalid`, with file, line and column.
pub(super) fn parse(text: &str, name: &str) -> Result<Rules> {
    let written: Vec<Written> = jsonc::parse(text, name)?;
    let mut rules = Rules::default();
    let mut seen = HashMap::new();
    for Written { app, rules: of_app } in written {
        let at = app.at;
        let app = App::parse(&app).map_err(|error| error.during(format_args!("{name}:{at}")))?;
        match seen.entry(app.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(at)),
            // Rules are applied in order, and two lists have none between them.
            Entry::Occupied(first) => {
                let first = first.get();
                return Err(Error::new(
                    Kind::Invalid,
                    format!(
                        "{name}:{at}: app {app} is there twice, first at {first}; put its rules into one list"
                    ),
                ));
            }
        }
        let mut compiled = Vec::with_capacity(of_app.len());
        for (index, rule) in of_app.iter().enumerate() {
            let place = Place { file: name, app: &app, number: index + 1 };
            compiled.push(place.compile(rule, &mut rules.warnings)?);
        }
        rules.apps.insert(app, compiled);
    }
    Ok(rules)
}

/// Which rule it is, for errors and warnings.
struct Place<'a> {
    file: &'a str,
    app: &'a App,
    number: usize,
}

impl Place<'_> {
    fn compile(&self, written: &WrittenRule, warnings: &mut Vec<String>) -> Result<Rule> {
        let names = match written.names {
            None | Some(WrittenNames::Simplified) => Names::Simplified,
            Some(WrittenNames::Full) => Names::Full,
        };
        let drop = self.regexp("drop", &written.drop, names, warnings)?;
        let keep = match &written.keep {
            None => None,
            Some(keep) => Some(self.regexp("keep", keep, names, warnings)?),
        };
        Ok(Rule { drop, keep, names })
    }

    fn regexp(
        &self,
        field: &str,
        pattern: &Located<String>,
        names: Names,
        warnings: &mut Vec<String>,
    ) -> Result<GoRegexp> {
        let Self { file, app, number } = self;
        let place = format!("{file}:{}: rule {number} of app {app}: {field}", pattern.at);
        let regexp = GoRegexp::new(pattern).map_err(|error| error.during(&place))?;
        if names == Names::Simplified && never_simplified(&regexp) {
            warnings.push(format!(
                "{place}: `{regexp}` never matches, because it needs a bracket and names are cut at the first one: \
                 net/http.(*conn).serve is matched as net/http.; add \"match\": \"full\" to match whole names",
                regexp = regexp.as_str()
            ));
        }
        if pattern.is_empty() {
            let effect = if field == "drop" { "drops all it can" } else { "keeps everything" };
            warnings.push(format!("{place}: the empty regexp matches every function: the rule {effect}"));
        }
        Ok(regexp)
    }
}

/// Whether `regexp` matches no name in pprof's form. Of names with brackets that form leaves only C++'s
/// `(anonymous namespace)` and `operator()`, so a pattern with those words gets the benefit of the doubt.
fn never_simplified(regexp: &GoRegexp) -> bool {
    regexp.needs_bracket() && !["anonymous", "operator"].iter().any(|word| regexp.as_str().contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> App {
        App::parse(name).expect(name)
    }

    #[test]
    fn the_example_of_the_documentation() {
        let text = r#"[
  {
    // The name of the application whose profile you want to prune, this should match a value provided to a scraper via
    // the --app flag or AUTOPGO_APP environment variable.
    "app": "example",
    // The pruning rules applied when profiles for the application are merged
    "rules": [
      {
        // Remove all nodes below the node matching the "drop" regular expression.
        "drop": "github.com\/example\/.*",
        // Optionally, keep any nodes that would otherwise be dropped matching the "keep" regular expression.
        "keep": "github.com\/example\/example-dependency"
      }
    ]
  }
]"#;
        let rules = parse(text, "prune.json").expect("the example");
        assert_eq!(rules.warnings(), [""; 0]);
        assert!(rules.for_app(&app("other")).is_empty());
        let [rule] = rules.for_app(&app("example")) else { panic!("one rule") };
        assert!(rule.drops("github.com/example/lib.Run"));
        assert!(!rule.drops("github.com/example/example-dependency.Do"));
        assert!(!rule.drops("main.main"));
    }

    /// The file `p`, which gives the application `a` these rules, the first in line 2.
    fn of_a(rules: &str) -> Result<Rules> {
        parse(&format!("[{{\"app\": \"a\", \"rules\": [\n{rules}\n]}}]"), "p")
    }

    #[test]
    fn mistakes_in_the_file_are_said_with_their_place() {
        for (text, says) in [
            ("", "p:1:1: there is no JSON in it"),
            ("{}", "p:1:1: invalid type: map, expected a sequence"),
            ("[1]", "p:1:2: invalid type: integer `1`, expected an object with \"app\" and \"rules\""),
            (r#"[{"rules": []}]"#, "p:1:2: missing field `app`"),
            (r#"[{"app": "a"}]"#, "p:1:2: missing field `rules`"),
            (r#"[{"app": "A", "rules": []}]"#, "p:1:10: the application name has 'A' in it"),
            (
                r#"[{"app": "a", "rules": []}, {"app": "a", "rules": []}]"#,
                "p:1:37: app a is there twice, first at 1:10; put its rules into one list",
            ),
        ] {
            let error = parse(text, "p").expect_err(text);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().starts_with(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn mistakes_in_a_rule_are_said_with_their_place() {
        for (rules, says) in [
            ("{}", "p:2:1: missing field `drop`"),
            (r#"{"keep": "x"}"#, "p:2:1: missing field `drop`"),
            (r#"{"drop": null}"#, "p:2:10: invalid type: unit value, expected a string"),
            (r#"{"drop": ["x"]}"#, "p:2:10: invalid type: sequence, expected a string"),
            (
                r#"{"drop": "x", "kepe": "y"}"#,
                "p:2:15: unknown field `kepe`, expected one of `drop`, `keep`, `match`",
            ),
            (
                r#"{"drop": "x", "match": "all"}"#,
                "p:2:24: unknown variant `all`, expected `simplified` or `full`",
            ),
            (
                "{\"drop\": \"x\"},\n{\"drop\": \"a(b\"}",
                "p:3:10: rule 2 of app a: drop: error parsing regexp: missing closing ): `a(b`",
            ),
            (
                r#"{"drop": "x", "keep": "*"}"#,
                "p:2:23: rule 1 of app a: keep: error parsing regexp: missing argument to repetition operator: `*`",
            ),
        ] {
            let error = of_a(rules).expect_err(rules);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().starts_with(says), "{rules:?}: {error}");
        }
    }

    #[test]
    fn suspicious_rules_are_warned_of() {
        for (rule, warning) in [
            (r#"{"drop": "conn"}"#, None),
            (r#"{"drop": "^net/http\\.$", "keep": null}"#, None),
            (r#"{"drop": "http\\.\\(\\*conn\\)\\.serve", "match": "full"}"#, None),
            (r#"{"drop": "http\\.\\(\\*conn\\)\\.serve|http\\.Serve"}"#, None),
            (r#"{"drop": "\\(anonymous namespace\\)::f"}"#, None),
            (r#"{"drop": "operator\\(\\)"}"#, None),
            (
                r#"{"drop": "\\(\\*conn\\)\\.serve"}"#,
                Some(
                    "p:2:10: rule 1 of app a: drop: `\\(\\*conn\\)\\.serve` never matches, because it needs a bracket \
                     and names are cut at the first one: net/http.(*conn).serve is matched as net/http.; add \
                     \"match\": \"full\" to match whole names",
                ),
            ),
            (
                r#"{"drop": "conn\\)\\.serve", "match": "simplified"}"#,
                Some("p:2:10: rule 1 of app a: drop: `conn\\)\\.serve` never matches"),
            ),
            (r#"{"drop": "x", "keep": "[(]"}"#, Some("p:2:23: rule 1 of app a: keep: `[(]` never matches")),
            (
                r#"{"drop": ""}"#,
                Some("p:2:10: rule 1 of app a: drop: the empty regexp matches every function"),
            ),
            (r#"{"drop": "x", "keep": ""}"#, Some("p:2:23: rule 1 of app a: keep: the empty regexp")),
        ] {
            let rules = of_a(rule).expect(rule);
            match (rules.warnings(), warning) {
                ([], None) => {}
                ([said], Some(warning)) if said.starts_with(warning) => {}
                (said, _) => panic!("{rule}: {said:?}"),
            }
        }
    }
}
