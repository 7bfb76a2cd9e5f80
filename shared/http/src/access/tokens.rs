//! The list of tokens: how it is written, and whose a presented one is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::jsonc::{self, Located, Position};
use serde::{Deserialize, Serialize};
use subtle::ConditionallySelectable;

use super::scope::{Pattern, Scope};
use super::secret::{Digest, PREFIX, Secret};

/// What a token is called, in logs and in answers: letters, digits, `.` and `-`. A token itself could not be one.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The longest, in characters: shorter than a hash.
    const LONGEST: usize = 60;

    /// Checks `name`.
    ///
    /// # Errors
    /// `Invalid`, saying what is wrong with it.
    pub fn parse(name: &str) -> Result<Self> {
        let problem = if name.is_empty() {
            "the token's name is empty".to_owned()
        } else if name.len() > Self::LONGEST {
            "the token's name is too long".to_owned()
        } else if let Some(bad) =
            name.chars().find(|c| !matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-'))
        {
            format!("the token's name has {bad:?} in it")
        } else {
            return Ok(Self(name.to_owned()));
        };
        let allowed = format!("use letters, digits, . and -, at most {} characters", Self::LONGEST);
        Err(Error::new(Kind::Invalid, format!("{problem}; {allowed}")))
    }

    /// What a part of this process is called. No name that is written can be the same, because of the brackets.
    pub(super) fn of_ours(part: &str) -> Self {
        Self(format!("({part})"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.0)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::parse(name)
    }
}

/// A token, without its text. Serialized it is an entry of the list.
#[derive(Debug, Serialize)]
pub struct Token {
    name: Name,
    sha256: Digest,
    scopes: Vec<Scope>,
    apps: Vec<Pattern>,
}

impl Token {
    /// The token `secret`: it may do `scopes` to the applications that `apps` match.
    pub fn new(name: Name, secret: &Secret, scopes: Vec<Scope>, apps: Vec<Pattern>) -> Self {
        Self { name, sha256: Digest::of(secret.reveal()), scopes, apps }
    }

    /// What it is called.
    pub fn name(&self) -> &Name {
        &self.name
    }

    pub(super) fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    pub(super) fn reaches(&self, app: &App) -> bool {
        self.apps.iter().any(|pattern| pattern.matches(app))
    }
}

/// Tokens, each good for what it says, all at once: so that an old one can go after its successor has come.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<[Arc<Token>]>);

/// A token as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with \"name\", \"sha256\" and \"scopes\"")]
struct Written {
    name: Located<String>,
    sha256: Located<String>,
    scopes: Vec<Scope>,
    #[serde(default = "all")]
    apps: Located<Vec<Located<String>>>,
}

fn all() -> Located<Vec<Located<String>>> {
    let at = Position::START;
    Located { value: vec![Located { value: Pattern::all().to_string(), at }], at }
}

impl Tokens {
    /// Reads a list; errors call it `name`, which should be the file's path.
    ///
    /// `scopes` may be empty: such a token sees what is shown to any token, and nothing else. `apps` are all where there
    /// is none.
    ///
    /// # Errors
    /// `Invalid`: `name:line:column: what is wrong`, without any token or hash, whatever was written where.
    ///
    /// ```
    /// use autopgo_http::access::Tokens;
    ///
    /// let text = r#"[
    ///   // `printf %s "$TOKEN" | sha256sum`
    ///   {"name": "ci", "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    ///    "scopes": ["download"], "apps": ["checkout", "team-a-*"]},
    /// ]"#;
    /// assert_eq!(Tokens::parse(text, "tokens.json")?.names(), ["ci"]);
    /// # Ok::<(), autopgo_core::error::Error>(())
    /// ```
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let invalid =
            |at: Position, problem: &str| Error::new(Kind::Invalid, format!("{name}:{at}: {problem}"));
        let written: Located<Vec<Written>> = jsonc::parse(text, name)
            .map_err(|error| Error::new(Kind::Invalid, hidden(error.what(), name)))?;
        if written.is_empty() {
            let what = "the list has no token in it, so nobody could do anything; add one that `autopgo token` makes";
            return Err(invalid(written.at, what));
        }
        let mut tokens: Vec<Arc<Token>> = Vec::with_capacity(written.len());
        let mut seen = HashMap::new();
        for Written { name: called, sha256, scopes, apps } in written.value {
            let at = called.at;
            let called = Name::parse(&called).map_err(|error| invalid(at, error.what()))?;
            match seen.entry(called.clone()) {
                Entry::Vacant(entry) => drop(entry.insert(at)),
                Entry::Occupied(first) => {
                    let first = first.get();
                    let what =
                        format!("the name {called} is there twice, first at {first}; each token has its own");
                    return Err(invalid(at, &what));
                }
            }
            let digest = Digest::parse(&sha256).ok_or_else(|| {
                let what = if sha256.starts_with(PREFIX) {
                    "this is a token and not its SHA-256; use it no more, and make an entry with `autopgo token`"
                } else {
                    "sha256 is not 64 hex digits; `autopgo token` makes an entry with the right ones"
                };
                invalid(sha256.at, what)
            })?;
            // Which of the two would a request be by?
            if let Some(twin) = tokens.iter().find(|token| bool::from(token.sha256.is(&digest))) {
                let what = format!("the token is that of {} as well; make one of its own", twin.name);
                return Err(invalid(sha256.at, &what));
            }
            if apps.is_empty() {
                return Err(invalid(apps.at, "apps has no pattern in it; leave it out for all applications"));
            }
            let parse =
                |app: &Located<String>| Pattern::parse(app).map_err(|error| invalid(app.at, error.what()));
            let apps = apps.iter().map(parse).collect::<Result<_>>()?;
            tokens.push(Arc::new(Token { name: called, sha256: digest, scopes, apps }));
        }
        Ok(Self(tokens.into()))
    }

    /// What they are called, in the order of the list.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|token| token.name.as_str()).collect()
    }

    /// The same with one more.
    pub(super) fn and(&self, token: Token) -> Self {
        Self(self.0.iter().cloned().chain([Arc::new(token)]).collect())
    }

    /// The token whose text this is. All are compared, each to its end, whichever it is and if it is none.
    pub(super) fn of(&self, text: &str) -> Option<&Arc<Token>> {
        let presented = Digest::of(text);
        let mut found = u64::MAX;
        for (at, token) in (0..).zip(self.0.iter()) {
            found.conditional_assign(&at, token.sha256.is(&presented));
        }
        self.0.get(usize::try_from(found).ok()?)
    }
}

/// What is wrong with the list `name`, without what may be a token or a hash in the wrong place: texts that were taken
/// for something else, and words that are too long to be anything of ours.
fn hidden(what: &str, name: &str) -> String {
    const LONGEST_WORD: usize = 20;
    let (place, problem) = what.split_at(if what.starts_with(name) { name.len() } else { 0 });
    let mut problem = problem.to_owned();
    if let (Some(start), Some(end)) = (problem.find("string \""), problem.rfind("\", expected")) {
        problem.replace_range(start + "string".len()..=end, "");
    }
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut shown = place.to_owned();
    for piece in problem.split_inclusive(|c| !word(c)) {
        let text = piece.trim_end_matches(|c| !word(c));
        let long = text.chars().count() > LONGEST_WORD;
        shown.push_str(if long { "..." } else { text });
        shown.push_str(&piece[text.len()..]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn secret() -> Secret {
        Secret::fresh().expect("random")
    }

    #[test]
    fn an_entry_is_read_as_it_is_written() {
        let secrets = [secret(), secret()];
        let app = |name: &str| App::parse(name).expect(name);
        let entries: Vec<String> = [
            (Name::parse("ci").expect("a name"), vec![Scope::Download], vec![Pattern::all()]),
            (
                Name::parse("Team-A.2").expect("a name"),
                vec![],
                vec![Pattern::parse("a-*").expect("a pattern")],
            ),
        ]
        .into_iter()
        .zip(&secrets)
        .map(|((name, scopes, apps), secret)| {
            serde_json::to_string(&Token::new(name, secret, scopes, apps)).expect("JSON")
        })
        .collect();
        let tokens = Tokens::parse(&format!("[ // two\n{},\n]", entries.join(",")), "t").expect("a list");
        assert_eq!(tokens.names(), ["ci", "Team-A.2"]);
        let [first, second] = &secrets;
        let first = tokens.of(first.reveal()).expect("known");
        assert_eq!(first.name().as_str(), "ci");
        assert!(first.has(Scope::Download) && !first.has(Scope::Upload) && !first.has(Scope::Delete));
        assert!(first.reaches(&app("x")));
        let second = tokens.of(second.reveal()).expect("known");
        assert!(!second.has(Scope::Download) && second.reaches(&app("a-x")) && !second.reaches(&app("x")));
        for wrong in ["", "ci", A, secret().reveal(), &secrets[0].reveal()[1..]] {
            assert!(tokens.of(wrong).is_none(), "{wrong}");
        }
        let third = secret();
        let more = tokens.and(Token::new(Name::of_ours("demo"), &third, vec![], vec![]));
        assert_eq!(more.of(third.reveal()).expect("known").name().as_str(), "(demo)");
        assert!(tokens.of(third.reveal()).is_none());
    }

    #[test]
    fn without_apps_it_is_for_all() {
        let text = format!("[{{\"name\": \"a\", \"sha256\": \"{}\", \"scopes\": []}}]", A.to_uppercase());
        let tokens = Tokens::parse(&text, "t").expect("a list");
        assert!(tokens.0[0].reaches(&App::parse("any").expect("a name")));
    }

    #[test]
    fn mistakes_are_said_with_their_place() {
        let entry = |more: &str| format!("[{{\"name\": \"a\", \"sha256\": \"{A}\", {more}}}]");
        let two = |first: &str, second: &str| {
            format!("[{{{first}, \"scopes\": []}},\n{{{second}, \"scopes\": []}}]")
        };
        let other = A.replace('a', "b");
        for (text, says) in [
            (String::new(), "t:1:1: there is no JSON in it"),
            ("[\n]".to_owned(), "t:1:1: the list has no token in it"),
            ("{}".to_owned(), "t:1:1: invalid type: map, expected a sequence"),
            ("[{}]".to_owned(), "t:1:2: missing field `name`"),
            ("[7]".to_owned(), "t:1:2: invalid type: integer `7`, expected an object with \"name\""),
            (
                entry("\"scopes\": [\"read\"]"),
                "t:1:105: unknown variant `read`, expected one of `upload`, `download`, `delete`",
            ),
            (entry("\"scopes\": \"upload\""), "t:1:104: invalid type: string, expected a sequence"),
            (
                entry("\"scopes\": [], \"app\": \"x\""),
                "t:1:108: unknown field `app`, expected one of `name`, `sha256`",
            ),
            (entry("\"scopes\": [], \"apps\": []"), "t:1:116: apps has no pattern in it"),
            (
                entry("\"scopes\": [], \"apps\": null"),
                "t:1:116: invalid type: unit value, expected a sequence",
            ),
            (entry("\"scopes\": [], \"apps\": [\"a\", \"B*\"]"), "t:1:122: the application pattern has 'B'"),
            (entry("\"apps\": []"), "t:1:2: missing field `scopes`"),
            (
                two(
                    &format!("\"name\": \"a\", \"sha256\": \"{A}\""),
                    &format!("\"name\": \"a\", \"sha256\": \"{other}\""),
                ),
                "t:2:10: the name a is there twice, first at 1:11",
            ),
            (
                two(
                    &format!("\"name\": \"a\", \"sha256\": \"{A}\""),
                    &format!("\"name\": \"b\", \"sha256\": \"{A}\""),
                ),
                "t:2:25: the token is that of a as well",
            ),
        ] {
            let error = Tokens::parse(&text, "t").expect_err(&text);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().starts_with(says), "{text}: {error}");
        }
        for (name, says) in [
            ("", "is empty"),
            ("a_b", "'_'"),
            ("a b", "' '"),
            ("a\\n", "'\\n'"),
            ("é", "'é'"),
            (&"x".repeat(61), "too long"),
        ] {
            let text = format!("[{{\"name\": \"{name}\", \"sha256\": \"{A}\", \"scopes\": []}}]");
            let error = Tokens::parse(&text, "t").expect_err(name);
            assert!(error.what().starts_with("t:1:11: ") && error.what().contains(says), "{error}");
        }
        for (sha256, says) in [
            ("", "is not 64 hex digits"),
            (&A[1..], "is not 64 hex digits"),
            (&A.replace('a', "g"), "is not 64 hex digits"),
            ("autopgo_abc", "this is a token and not its SHA-256"),
        ] {
            let text = format!("[{{\"name\": \"a\", \"sha256\": \"{sha256}\", \"scopes\": []}}]");
            let error = Tokens::parse(&text, "t").expect_err(sha256);
            assert!(error.what().starts_with("t:1:26: ") && error.what().contains(says), "{error}");
        }
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_shown() {
        let secret = secret();
        let (token, hash) =
            (secret.reveal(), serde_json::to_string(&Digest::of(secret.reveal())).expect("JSON"));
        for text in [
            token.to_owned(),
            format!("\"{token}\""),
            format!("[\"{token}\"]"),
            "[\"hunter2\"]".to_owned(),
            format!("[{hash}]"),
            format!("{{\"{token}\": 1}}"),
            format!("[{{\"{token}\": 1}}]"),
            format!("[{{\"{token}\": 1, \"{token}\": 1}}]"),
            format!("[{{\"name\": \"{token}\", \"sha256\": {hash}, \"scopes\": []}}]"),
            format!("[{{\"name\": {hash}, \"sha256\": {hash}, \"scopes\": []}}]"),
            format!("[{{\"name\": \"a\", \"sha256\": \"{token}\", \"scopes\": []}}]"),
            format!("[{{\"name\": \"a\", \"sha256\": {hash}, \"scopes\": [\"{token}\"]}}]"),
            format!("[{{\"name\": \"a\", \"sha256\": {hash}, \"scopes\": \"{token}\"}}]"),
            format!("[{{\"name\": \"a\", \"sha256\": {hash}, \"scopes\": [], \"apps\": [\"{token}\"]}}]"),
            format!("[{{\"name\": \"a\", \"sha256\": {hash}, \"scopes\": [], \"apps\": {hash}}}]"),
            format!("[{{\"name\": \"a\", \"sha256\": {hash}, \"scopes\": [], \"{token}\": 1}}]"),
            format!("[{{\"name\": \"a\", \"sha256\": \"{token}, \"scopes\": []}}]"),
        ] {
            let name = "/a-folder-with-a-long-name/tokens.json";
            let error = Tokens::parse(&text, name).expect_err(&text).chain();
            assert!(error.starts_with(&format!("{name}:1:")), "{error}");
            for secret in [&token[8..], hash.trim_matches('"'), "hunter2"] {
                assert!(!error.contains(secret), "{text}: {error}");
            }
        }
    }

    #[test]
    fn nothing_shows_a_hash_but_the_entry() {
        let token = Token::new(
            Name::parse("ci").expect("a name"),
            &secret(),
            vec![Scope::Delete],
            vec![Pattern::all()],
        );
        assert_eq!(
            format!("{:?}", Tokens([Arc::new(token)].into())),
            "Tokens([Token { name: Name(ci), sha256: Digest, scopes: [Delete], apps: [Pattern(\"*\")] }])"
        );
    }
}
