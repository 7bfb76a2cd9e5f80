//! JSON with comments and trailing commas, as people write configuration. What is wrong in a file is said with its
//! name, line and column, be it the syntax, a type, a missing field or, by [`Located`], the meaning of a value.

mod node;
mod position;

use serde::de::DeserializeOwned;

use jsonc_parser::{ParseOptions, parse_to_ast};

pub use position::{Located, Position};

use crate::error::{Error, Kind, Result};
use node::Node;
use position::Lines;

/// JSON, and beyond it comments and trailing commas; nothing of JSON5.
const DIALECT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a `T` from `text`; errors call it `name`, which should be the file's path.
///
/// A byte order mark is skipped. An object that has a key twice is refused, and so is nesting beyond the parser's
/// own bound (512 levels of values and properties).
///
/// # Errors
/// `Invalid`: `name:line:column: what is wrong`.
///
/// ```
/// use autopgo_core::jsonc;
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Target {
///     address: String,
/// }
///
/// let targets: Vec<Target> = jsonc::parse("[{ /* ours */ \"address\": \"http:\\/\\/a:1\" }, ]", "scrape.json")?;
/// assert_eq!(targets[0].address, "http://a:1");
///
/// let error = jsonc::parse::<Vec<Target>>("[\n  {}\n]", "scrape.json").unwrap_err();
/// assert_eq!(error.to_string(), "scrape.json:2:3: missing field `address`");
/// # Ok::<(), autopgo_core::error::Error>(())
/// ```
pub fn parse<T: DeserializeOwned>(text: &str, name: &str) -> Result<T> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(text);
    if let Some((offset, problem)) = broken_string(text) {
        return Err(invalid(name, lines.position(offset), problem));
    }
    let ast = parse_to_ast(text, &Default::default(), &DIALECT).map_err(|error| {
        invalid(name, lines.position(error.range().start), &lower_first(&error.kind().to_string()))
    })?;
    let Some(value) = ast.value else {
        return Err(invalid(name, lines.position(0), "there is no JSON in it"));
    };
    T::deserialize(Node::new(&value, &lines))
        .map_err(|fault| invalid(name, fault.at.unwrap_or(Position::START), &fault.problem))
}

/// The text of a file that should be UTF-8.
///
/// # Errors
/// `Invalid`: `name:line:column:` of the first byte that is not UTF-8, and what to do about UTF-16.
pub fn text<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(invalid(name, Position::START, "the file is UTF-16; save it as UTF-8"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        invalid(name, Lines::of(&good).position(good.len()), "not UTF-8; save the file as UTF-8")
    })
}

fn invalid(name: &str, position: Position, problem: &str) -> Error {
    Error::new(Kind::Invalid, format!("{name}:{position}: {problem}"))
}

/// The first string that does not end on its line, or has another control character in it. The parser takes such
/// strings, and so reports a forgotten quote somewhere far below.
fn broken_string(text: &str) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'/', Some(b'/')) => at += text[at..].find('\n')?,
            (b'/', Some(b'*')) => at += 2 + text[at + 2..].find("*/")? + 1,
            (b'"', _) => {
                let start = at;
                loop {
                    at += 1;
                    match bytes.get(at) {
                        Some(b'"') => break,
                        // What is escaped is the parser's to judge, unless it ends the line.
                        Some(b'\\') if bytes.get(at + 1).is_some_and(|byte| *byte >= b' ') => at += 1,
                        Some(b'\n' | b'\r') | None => {
                            return Some((start, "the string has no closing quote on its line"));
                        }
                        Some(0..b' ') => {
                            return Some((at, "a control character in a string; write \\t or \\u"));
                        }
                        Some(_) => {}
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        app: String,
        count: Option<u32>,
        kind: Option<Word>,
        nested: Option<Vec<Entry>>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Full,
        Short,
    }

    fn entries(text: &str) -> Result<Vec<Entry>> {
        parse(text, "f.json")
    }

    #[test]
    fn comments_commas_and_escapes() {
        let text = "\u{feff}// first\r\n[ /* a \" quote */\n { // \"x\n \"app\": \"a\\/b \\u00e9 // no comment\", \
                    \"count\": 7, \"kind\": \"full\",},\n {\"app\": \"é\", \"count\": null, \"nested\": [ ], },\n]\n/**/ //";
        let first =
            Entry {
                app: "a/b é // no comment".into(), count: Some(7), kind: Some(Word::Full), nested: None
            };
        let second = Entry { app: "é".into(), count: None, kind: None, nested: Some(Vec::new()) };
        assert_eq!(entries(text).expect("good"), [first, second]);
    }

    #[test]
    fn other_types() {
        let map: BTreeMap<String, f64> = parse("{\"a\": 1, \"b\": -2.5e1}", "f").expect("map");
        assert_eq!(map, BTreeMap::from([("a".into(), 1.0), ("b".into(), -25.0)]));
        let pair: (bool, u64) = parse("[true, 18446744073709551615]", "f").expect("tuple");
        assert_eq!(pair, (true, u64::MAX));
        let error = parse::<(bool, u64)>("[true, 1,\n 2]", "f").expect_err("one too many");
        assert_eq!(error.what(), "f:1:1: invalid length 3, expected 2 elements in sequence");
    }

    #[test]
    fn errors_have_a_place() {
        for (text, says) in [
            ("", "1:1: there is no JSON in it"),
            (" // only\n", "1:1: there is no JSON in it"),
            ("[\n  {}\n]", "2:3: missing field `app`"),
            (
                "[{\"app\": \"a\",\n\n   \"aap\": 1}]",
                "3:4: unknown field `aap`, expected one of `app`, `count`",
            ),
            ("[{\"app\":\n 5}]", "2:2: invalid type: integer `5`, expected a string"),
            ("[{\"app\": \"a\", \"count\": -1}]", "1:24: invalid value: integer `-1`, expected u32"),
            ("[{\"app\": \"a\", \"count\": 1.5}]", "1:24: invalid type: floating point `1.5`, expected u32"),
            ("[{\"app\": \"a\", \"count\": 1e999}]", "1:24: the number is out of range"),
            (
                "[{\"app\": \"a\", \"kind\": \"long\"}]",
                "1:23: unknown variant `long`, expected `full` or `short`",
            ),
            ("[{\"app\": \"a\",\n\"app\": \"b\"}]", "2:1: the key \"app\" is there twice; first at 1:3"),
            ("[{\"app\": \"a\", \"nested\": [\n{\"app\": \"b\"}, {}]}]", "2:15: missing field `app`"),
            ("{}", "1:1: invalid type: map, expected a sequence"),
            ("[\"a\"]", "1:2: invalid type: string \"a\", expected struct Entry"),
            (
                "[{\"app\": \"a\",\n  \"kind\": \"full,\n  \"count\": 1}]",
                "2:11: the string has no closing quote",
            ),
            ("[{\"app\": \"a\tb\"}]", "1:12: a control character in a string"),
            ("[\"é\u{1F600}\" x]", "1:7: "),
            ("[{\"app\": \"a\"", "1:2: unterminated object"),
            ("[", "1:1: unterminated array"),
            ("[]]", "1:3: "),
            ("[] []", "1:4: text cannot contain more than one JSON value"),
            ("[{app: \"a\"}]", "1:3: expected string for object property"),
            ("[{\"app\": 'a'}]", "1:10: single-quoted strings are not allowed"),
            ("[{\"app\" \"a\"}]", "1:9: expected colon after"),
            ("[{\"app\": }]", "1:10: unexpected close brace"),
            ("[{\"app\": \"a\" \"count\": 1}]", "1:13: expected comma"),
            ("[{\"app\": \"\\q\"}]", "1:11: invalid escape"),
            ("[{\"app\": \"\\ud800\"}]", "1:11: invalid unicode escape"),
            ("/* open", "1:1: unterminated comment block"),
            ("[nul]", "1:2: unexpected token"),
        ] {
            let error = entries(text).expect_err(text);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().starts_with(&format!("f.json:{says}")), "{text:?}: {error}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        for (open, close, levels) in [("[", "]", 400), ("{\"a\":", "}", 200)] {
            let text = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
            parse::<serde_json::Value>(&text(levels), "f").expect("deep, and still allowed");
            for levels in [600, 1_000_000] {
                let error = parse::<serde_json::Value>(&text(levels), "f").expect_err("too deep");
                assert!(error.what().contains("nesting depth exceeded"), "{error}");
            }
            let error = parse::<serde_json::Value>(&open.repeat(1_000_000), "f").expect_err("too deep");
            assert!(error.what().contains("nesting depth exceeded"), "{error}");
        }
    }

    #[test]
    fn files_that_are_not_utf_8() {
        assert_eq!(text("[é]".as_bytes(), "f").expect("good"), "[é]");
        let error = text(b"[\n \xc3\xa9\xff]", "f").expect_err("latin 1");
        assert_eq!(error.what(), "f:2:3: not UTF-8; save the file as UTF-8");
        let error = text(b"\xff\xfe[\0]\0", "f").expect_err("utf-16");
        assert_eq!(error.what(), "f:1:1: the file is UTF-16; save it as UTF-8");
    }

    #[test]
    fn plain_json_is_read_as_serde_json_reads_it() {
        use serde_json::Value;
        let pieces = [
            "[", "]", "{", "}", "\"", "\\", "\"a\":", ",", ":", "0", "1", "-", ".", "e", "é", "\n", "null",
            "u00e9", "/",
        ];
        let mut both = 0;
        for number in 0..pieces.len().pow(3) {
            let text: String =
                (0..3).map(|at| pieces[number / pieces.len().pow(at) % pieces.len()]).collect();
            for text in [format!("[{text}]"), format!("{{\"k\":\"{text}\"}}"), format!("{{\"k\":{text}}}")] {
                let compact: String = text.split_whitespace().collect();
                // Minus zero is an integer here and a float there.
                if [",]", ",}", "//", "-0"].iter().any(|beyond| compact.contains(beyond)) {
                    continue;
                }
                let (ours, theirs) = (parse::<Value>(&text, "f"), serde_json::from_str::<Value>(&text));
                assert_eq!(ours.as_ref().ok(), theirs.as_ref().ok(), "{text:?}: {ours:?} {theirs:?}");
                both += usize::from(ours.is_ok());
            }
        }
        assert!(both > 500, "only {both} of the texts are JSON");
    }
}
