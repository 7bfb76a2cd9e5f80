//! The prune file: which frames to drop from which application's profiles. Parsed and compiled when a worker starts,
//! so that a file with a mistake stops the start and not a merge.

mod file;
mod goregexp;

use std::collections::HashMap;

use autopgo_pprof::Profile;
use autopgo_pprof::prune::{self, Names};

pub use goregexp::GoRegexp;

use crate::app::App;
use crate::error::Result;

/// The prune rules of all applications.
///
/// ```
/// use autopgo_core::rules::Rules;
///
/// let file = r#"[
///     // "match" is "full" for names as they stand; else pprof's form of them, cut at the first "(".
///     {"app": "checkout", "rules": [{"drop": "^net/http\\.\\(\\*conn\\)", "match": "full"}]},
/// ]"#;
/// let rules = Rules::parse(file, "prune.json")?;
/// assert_eq!(rules.for_app(&"checkout".parse()?).len(), 1);
/// # Ok::<(), autopgo_core::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rules {
    apps: HashMap<App, Vec<Rule>>,
    warnings: Vec<String>,
}

/// One rule: below which functions to cut.
#[derive(Clone, Debug)]
pub struct Rule {
    drop: GoRegexp,
    keep: Option<GoRegexp>,
    names: Names,
}

impl Rules {
    /// Reads and compiles the prune file `name`, whose content is `text`: a JSON array of
    /// `{"app": "...", "rules": [{"drop": "regexp", "keep": "regexp", "match": "simplified"}]}`, where `keep` and
    /// `match` are optional. Comments and trailing commas are fine.
    ///
    /// # Errors
    /// `Invalid`, with file, line and column: not of that form, a bad name, an application that is there twice, a
    /// regexp that Go refuses.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        file::parse(text, name)
    }

    /// What is no error but most likely a mistake, with file, line and column: rules that can never match, and rules
    /// that match everything.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The rules of `app`, in their order.
    pub fn for_app(&self, app: &App) -> &[Rule] {
        self.apps.get(app).map_or(&[], Vec::as_slice)
    }

    /// Prunes `profile` by the rules of `app`, rule after rule, as google/pprof's `Profile.Prune` does. Whether any of
    /// them took something out.
    pub fn apply(&self, app: &App, profile: &mut Profile) -> bool {
        let mut changed = false;
        for rule in self.for_app(app) {
            changed |= rule.apply(profile);
        }
        changed
    }
}

impl Rule {
    /// Which form of a function's name the rule is matched against.
    pub fn names(&self) -> Names {
        self.names
    }

    /// Whether the function of that name, given in the form of [`Rule::names`], is dropped: `drop` matches it and
    /// `keep` does not.
    pub fn drops(&self, name: &str) -> bool {
        self.drop.is_match(name) && !self.keeps(name)
    }

    /// Prunes `profile` by this rule alone. Whether it took something out.
    pub fn apply(&self, profile: &mut Profile) -> bool {
        prune::prune(profile, self.names, &|name| self.drop.is_match(name), Some(&|name| self.keeps(name)))
    }

    fn keeps(&self, name: &str) -> bool {
        self.keep.as_ref().is_some_and(|keep| keep.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use autopgo_pprof::Limits;

    use super::*;

    const CAPTURE: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/profiles/hello-app/a-1.pprof");

    /// The capture under the rules, boiled down to what failures can show.
    fn pruned(rules: &str, app: &str) -> u64 {
        let rules = Rules::parse(rules, "prune.json").expect("good rules");
        let bytes = std::fs::read(CAPTURE).expect("the fixture");
        let mut profile = Profile::parse(&bytes, &Limits::default()).expect("a profile");
        rules.apply(&app.parse().expect("a good name"), &mut profile);
        let mut hasher = DefaultHasher::new();
        profile.encode().hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn rules_are_matched_against_the_names_they_ask_for() {
        let untouched = pruned("[]", "hello");
        let method = r#"[{"app": "hello", "rules": [{"drop": "template\\.\\(\\*state\\)\\.evalField$"}]}]"#;
        let method_in_full = method.replace("$\"", "$\", \"match\": \"full\"");
        let package =
            r#"[{"app": "hello", "rules": [{"drop": "^text/template\\.$", "match": "simplified"}]}]"#;
        assert_eq!(pruned(method, "hello"), untouched, "pprof never sees a method's name");
        assert_ne!(pruned(&method_in_full, "hello"), untouched);
        assert_ne!(pruned(package, "hello"), untouched);
        assert_ne!(pruned(package, "hello"), pruned(&method_in_full, "hello"));
        assert_eq!(pruned(package, "other"), untouched, "rules of another application");
    }

    #[test]
    fn rules_apply_in_their_order_and_keep_shields() {
        let both = r#"[{"app": "a", "rules": [{"drop": "^runtime\\."}, {"drop": "^net/http"}]}]"#;
        let kept = r#"[{"app": "a", "rules": [{"drop": "^runtime\\.", "keep": "^runtime"}, {"drop": "^net/http"}]}]"#;
        let second = r#"[{"app": "a", "rules": [{"drop": "^net/http"}]}]"#;
        assert_ne!(pruned(both, "a"), pruned(second, "a"));
        assert_eq!(pruned(kept, "a"), pruned(second, "a"));

        let rules = Rules::parse(r#"[{"app": "a", "rules": [{"drop": "lib", "keep": "\\bkeep$"}]}]"#, "f");
        let rules = rules.expect("good rules");
        let rule = &rules.for_app(&"a".parse().expect("a name"))[0];
        assert_eq!(rule.names(), Names::Simplified);
        for (name, drops) in
            [("lib.F", true), ("lib.keep", false), ("main.keep", false), ("lib.keeper", true)]
        {
            assert_eq!(rule.drops(name), drops, "{name}");
        }
    }
}
