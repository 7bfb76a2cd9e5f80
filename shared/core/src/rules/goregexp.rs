//! Go's regular expressions on Rust's engine. Rules are written for Go's `regexp`; Rust's `regex` refuses some of what
//! Go accepts (`\Q..\E`, a lone `{`) and reads some differently (`\d`, `[a&&b]`). So a pattern is parsed as Go parses
//! it (`regexp/syntax`, flags `Perl`) and written anew, with nothing left to the other side's defaults.

mod class;
mod escape;
mod item;
mod parse;
mod unicode;

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::error::{Error, Kind, Result};
use item::Item;

/// The most memory a compiled pattern may take, in bytes. Go has bounds of its own, on the size of the program
/// (3.3 million instructions) and of its classes; what passes them by passes this by too.
const COMPILED_BYTES: usize = 64 << 20;

/// How deep what is left of a pattern may nest: groups (those that change nothing are dropped), alternatives and
/// repeats. Go goes to a thousand, but Rust's compiler recurses, and a thread's stack may be small.
const DEEPEST: u32 = 250;

/// A regular expression in Go's syntax.
///
/// It answers what Go's `MatchString` answers: whether a text has a match anywhere. Greed and captures, which cannot
/// change that answer, are read and dropped. The classes of Unicode are those of Rust's tables: a character that
/// Unicode assigned later than Go's tables may be classed differently.
///
/// ```
/// use autopgo_core::rules::GoRegexp;
///
/// let conn = GoRegexp::new(r"\Qnet/http.(*conn)\E\.serve$")?;
/// assert!(conn.is_match("net/http.(*conn).serve"));
///
/// let error = GoRegexp::new("a**").unwrap_err();
/// assert_eq!(error.to_string(), "error parsing regexp: invalid nested repetition operator: `**`");
/// # Ok::<(), autopgo_core::error::Error>(())
/// ```
#[derive(Clone)]
pub struct GoRegexp {
    pattern: String,
    regex: Regex,
    needs_bracket: bool,
}

impl GoRegexp {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// `Invalid`: in Go's words if Go refuses it; or compiled it would take more than 64 MiB; or it nests deeper
    /// than 250 levels, where Go goes to a thousand.
    pub fn new(pattern: &str) -> Result<Self> {
        let Item { text, needs_bracket, .. } =
            parse::parse(pattern).map_err(|refusal| Error::new(Kind::Invalid, refusal.to_string()))?;
        let regex = RegexBuilder::new(&text)
            .size_limit(COMPILED_BYTES)
            .nest_limit(DEEPEST)
            .build()
            .map_err(|error| refused(error, pattern))?;
        Ok(Self { pattern: pattern.to_owned(), regex, needs_bracket })
    }

    /// Whether `text` has a match.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The pattern, as it was given.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether every match has a `(` or a `)` in it. Exact when it says so; a pattern may need one and not show it.
    pub fn needs_bracket(&self) -> bool {
        self.needs_bracket
    }
}

impl fmt::Debug for GoRegexp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GoRegexp({:?})", self.pattern)
    }
}

/// Why Go refuses a pattern: one of its error codes and the part of the pattern that it blames.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    code: &'static str,
    part: String,
}

impl Refusal {
    fn new(code: &'static str, part: &str) -> Self {
        Self { code, part: part.to_owned() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.code, self.part)
    }
}

fn refused(error: regex::Error, pattern: &str) -> Error {
    let what = match &error {
        regex::Error::CompiledTooBig(limit) => format!(
            "the regexp is too large: compiled it takes more than {} MiB; make its repeat counts or its classes \
             smaller",
            limit >> 20
        ),
        regex::Error::Syntax(words) if words.contains("nest") => {
            format!("the regexp nests deeper than {DEEPEST} levels; make it flatter")
        }
        _ => format!("the regexp `{pattern}` cannot be compiled here; write it in another way"),
    };
    Error::new(Kind::Invalid, what).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_go_does() {
        for (pattern, yes, no) in [
            (r"^github\.com\/example\/", "github.com/example/x", "a/github.com/example/"),
            (r"\Qa.b(*c)\E$", "a.b(*c)", "a.b(*c)d"),
            (r"^\Qab\E*$", "abb", "abab"),
            ("x{", "x{", "x"),
            ("x{,3}", "x{,3}", "xxx"),
            ("x{2,}", "xx", "x"),
            ("x{02}", "x{02}", "xx"),
            (r"^\d$", "7", "\u{0667}"),
            (r"^\w$", "_", "é"),
            (r"^\s$", "\t", "\u{000b}"),
            (r"^[[:space:]]$", "\u{000b}", "\u{a0}"),
            (r"é\b", "éa", "é"),
            (r"^[a&&b]$", "&", "c"),
            (r"^[!--b]$", "-", "."),
            (r"^[[a]$", "[", "]"),
            (r"^[]a]$", "]", "["),
            (r"^[^]a]$", "[", "]"),
            (r"^[a\]b]+$", "a]b", "c"),
            ("a$", "a", "a\n"),
            ("(?m)a$", "a\nb", "ab"),
            ("(?m)^b", "a\nb", "ab"),
            (r"(?m)\Ab", "b", "a\nb"),
            ("a.b", "a\u{2028}b", "a\nb"),
            ("(?s)a.b", "a\nb", "ab"),
            ("(?i)k", "\u{212a}", "x"),
            (r"(?i)^\w$", "\u{17f}", "é"),
            (r"^\w$", "s", "\u{17f}"),
            (r"(?i)^[^k]$", "x", "\u{212a}"),
            (r"^\x{1F600}\101\x41$", "\u{1f600}AA", "A"),
            (r"^[\x{D800}-\x{E000}]$", "\u{e000}", "\u{d7ff}"),
            (r"^\p{Greek}\pL$", "αβ", "ab"),
            (r"^\P{greek}[^\pN]$", "ab", "a1"),
            (r"(?U)^a+?$", "aa", "b"),
            (r"^(?P<n>a)(?<n>b)$", "ab", "a"),
            (r"(?i:a)b", "Ab", "AB"),
            (r"a(?i)b|c", "aB", "A"),
            (r"^(?:a|b*|)$", "bb", "ab"),
            (r"\Ba", "ba", "éa"),
            (r"^(|a)*$", "aa", "b"),
            ("^*a", "a", "b"),
        ] {
            let regexp = GoRegexp::new(pattern).expect(pattern);
            assert!(regexp.is_match(yes), "{pattern} should match {yes:?}");
            assert!(!regexp.is_match(no), "{pattern} should not match {no:?}");
        }
    }

    #[test]
    fn refuses_in_the_words_of_go() {
        for (pattern, says) in [
            ("a(b", "missing closing ): `a(b`"),
            ("a)b", "unexpected ): `a)b`"),
            ("[a", "missing closing ]: `[a`"),
            ("x[a-", "missing closing ]: `[a-`"),
            ("[b-a]", "invalid character class range: `b-a`"),
            ("[[:word:][:foo:]]", "invalid character class range: `[:foo:]`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a*?{2}?", "invalid nested repetition operator: `*?{2}?`"),
            ("*", "missing argument to repetition operator: `*`"),
            ("(|+?)", "missing argument to repetition operator: `+?`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("(a{100}){11}", "invalid repeat count: `{11}`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\Z", r"invalid escape sequence: `\Z`"),
            (r"\C", r"invalid escape sequence: `\C`"),
            (r"[\b]", r"invalid escape sequence: `\b`"),
            (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
            (r"\x1", r"invalid escape sequence: `\x1`"),
            (r"\é", r"invalid escape sequence: `\é`"),
            (r"\pX", r"invalid character class range: `\pX`"),
            (r"\p{Grek}", r"invalid character class range: `\p{Grek}`"),
            (r"\p{Greek", r"invalid character class range: `\p{Greek`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
            ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?<a-b>x)", "invalid named capture: `(?<a-b>`"),
        ] {
            let error = GoRegexp::new(pattern).expect_err(pattern);
            assert_eq!(error.kind(), Kind::Invalid);
            assert_eq!(error.what(), format!("error parsing regexp: {says}"), "{pattern}");
        }
    }

    #[test]
    fn bounds() {
        let nested = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
        GoRegexp::new(&nested(999)).expect("as deep as Go goes");
        let error = GoRegexp::new(&nested(1000)).expect_err("too deep");
        assert!(error.what().starts_with("error parsing regexp: expression nests too deeply"), "{error}");
        let error = GoRegexp::new(&nested(200_000)).expect_err("far too deep");
        assert!(error.what().starts_with("error parsing regexp: expression nests too deeply"), "{error}");
        // Groups that capture nothing are no level, in Go as here.
        let quiet = format!("{}a{}", "(?:".repeat(5000), ")".repeat(5000));
        assert!(GoRegexp::new(&quiet).expect("one level").is_match("a"));
        // What is left of these nests too.
        for (open, close, levels) in [("(?:b", ")*", 80), ("(?:b|c*", ")", 80)] {
            let deep = |levels: usize| format!("{}a{}", open.repeat(levels), close.repeat(levels));
            assert!(GoRegexp::new(&deep(levels)).expect(open).is_match("bca"), "{open}");
            let error = GoRegexp::new(&deep(300)).expect_err(open);
            assert_eq!(error.what(), "the regexp nests deeper than 250 levels; make it flatter");
        }
        let error = GoRegexp::new(&r"(\pL\PN){500}".repeat(40)).expect_err("too large");
        assert!(
            error.what().starts_with("the regexp is too large: compiled it takes more than 64 MiB"),
            "{error}"
        );
    }

    #[test]
    fn brackets_that_every_match_has() {
        for (pattern, needs) in [
            (r"\(\*conn\)\.serve", true),
            ("[(]x", true),
            ("[()]", true),
            (r"(a|b)?\(+c", true),
            (r"\(a|b\)", true),
            (r"\(a|b", false),
            (r"\(*a", false),
            (r"\(?a", false),
            (r"\({0}a", false),
            (r"\({2}a", true),
            (r"(\(){1,}", true),
            ("[(a]", false),
            ("[^(]", false),
            ("(a)", false),
            ("", false),
            (r"\Q(*T)\E", true),
            (r"\x28", true),
            ("(?i)[(]", true),
        ] {
            assert_eq!(GoRegexp::new(pattern).expect(pattern).needs_bracket(), needs, "{pattern}");
        }
    }
}
