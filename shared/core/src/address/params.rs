//! The parameters of a URL. An adapter takes those it knows and then calls [`Params::finish`], so that a typing error
//! is an error and never a default that nobody asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::invalid;
use crate::duration;
use crate::error::Result;

/// The parameters of one URL, some of them taken already.
///
/// A parameter that is given twice is an error, unless the adapter takes it by [`Params::list`] or asked for
/// [`Params::first_wins`].
pub struct Params {
    /// `scheme://`, for the errors.
    scheme: String,
    left: Vec<(String, String)>,
    known: Vec<&'static str>,
    first_wins: bool,
}

impl Params {
    pub(super) fn new(scheme: String, pairs: Vec<(String, String)>) -> Self {
        Self { scheme, left: pairs, known: Vec::new(), first_wins: false }
    }

    /// The same, where the first value of a repeated parameter counts and the others do not: as the drivers of AWS
    /// and Google Cloud Storage read them.
    #[must_use]
    pub fn first_wins(mut self) -> Self {
        self.first_wins = true;
        self
    }

    /// Takes the value of `key`, which may be empty.
    ///
    /// # Errors
    /// `Invalid` if it is given more than once.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        let mut values = self.list(key).into_iter();
        let first = values.next();
        if !self.first_wins && values.next().is_some() {
            return Err(invalid(format!("{}: parameter {key} is given more than once", self.scheme)));
        }
        Ok(first)
    }

    /// Takes every value of `key`, in order.
    pub fn list(&mut self, key: &'static str) -> Vec<String> {
        self.known.push(key);
        self.left.extract_if(.., |(name, _)| name == key).map(|(_, value)| value).collect()
    }

    /// Takes a boolean, in the spellings of Go's `strconv.ParseBool`.
    ///
    /// # Errors
    /// `Invalid`: given more than once, or another spelling; an empty value too.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        self.read(key, "a boolean: true or false", go_bool)
    }

    /// Takes a boolean that may be given without a value, which then means true.
    ///
    /// # Errors
    /// Those of [`Params::flag`], but for the empty value.
    pub fn switch(&mut self, key: &'static str) -> Result<bool> {
        let on = self.read(key, "a boolean: true or false", |text| match text {
            "" => Some(true),
            text => go_bool(text),
        })?;
        Ok(on.unwrap_or(false))
    }

    /// Takes `key` in any other spelling of capitals, and does nothing with it: for a driver that accepts it so and reads
    /// the exact one alone.
    pub fn ignore_other_case(&mut self, key: &str) {
        self.left.retain(|(name, _)| name == key || !name.eq_ignore_ascii_case(key));
    }

    /// Takes a duration in Go's syntax.
    ///
    /// # Errors
    /// `Invalid`: given more than once, or no such duration.
    pub fn duration(&mut self, key: &'static str) -> Result<Option<Duration>> {
        let scheme = self.scheme.clone();
        let parse = |text: String| {
            duration::parse(&text).map_err(|error| error.during(format_args!("{scheme}: parameter {key}")))
        };
        self.text(key)?.map(parse).transpose()
    }

    /// Takes a decimal number.
    ///
    /// # Errors
    /// `Invalid`: given more than once, no number, or one that `T` cannot hold.
    pub fn number<T: FromStr>(&mut self, key: &'static str) -> Result<Option<T>> {
        self.read(key, "a number in its range", |text| text.parse().ok())
    }

    /// Takes one of the words of `choices`; the case counts.
    ///
    /// # Errors
    /// `Invalid`: given more than once, or another word.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.read(key, &format!("one of {}", words.join(", ")), |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice)
        })
    }

    /// The end: nothing may be left.
    ///
    /// # Errors
    /// `Invalid`, naming the parameters that nobody took and those that there are.
    pub fn finish(self) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        let mut unknown: Vec<String> = self.left.iter().map(|(key, _)| format!("{key:?}")).collect();
        unknown.sort_unstable();
        unknown.dedup();
        let plural = if unknown.len() == 1 { "" } else { "s" };
        let unknown = unknown.join(", ");
        let scheme = self.scheme;
        let mut known = self.known;
        known.sort_unstable();
        known.dedup();
        let takes = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(invalid(format!("{scheme}: unknown parameter{plural} {unknown}; those it takes here: {takes}")))
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(invalid(format!("{}: parameter {key} is {text:?}, not {wanted}", self.scheme))),
        }
    }
}

/// The names of what is left. The values may be secrets.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Params").field(&self.left.iter().map(|(key, _)| key).collect::<Vec<_>>()).finish()
    }
}

/// Go's `strconv.ParseBool`.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn params(query: &str) -> Params {
        Address::parse(&format!("s3://b?{query}")).expect(query).params()
    }

    #[test]
    fn form_encoding() {
        for (query, value) in [
            ("k=a+b", "a b"),
            ("k=a%2Bb", "a+b"),
            ("k=a%20b", "a b"),
            ("k=http://h:1/x?y=z", "http://h:1/x?y=z"),
            ("k=a=b", "a=b"),
            ("k=", ""),
            ("k", ""),
            ("&&k=v&", "v"),
            ("%6B=v", "v"),
            ("k=%C3%A9", "é"),
        ] {
            let mut params = params(query);
            assert_eq!(params.text("k").expect(query).as_deref(), Some(value), "{query}");
            params.finish().expect(query);
        }
    }

    #[test]
    fn repeated_parameters() {
        let query = "topic=a&x=1&topic=b";
        assert_eq!(params(query).list("topic"), ["a", "b"]);
        assert_eq!(params(query).first_wins().text("topic").expect("first").as_deref(), Some("a"));
        let error = params(query).text("topic").expect_err("twice");
        assert_eq!(error.what(), "s3://: parameter topic is given more than once");
        assert_eq!(params(query).text("y").expect("absent"), None);
    }

    #[test]
    fn booleans_are_those_of_go() {
        for (text, value) in [
            ("1", Some(true)),
            ("t", Some(true)),
            ("T", Some(true)),
            ("TRUE", Some(true)),
            ("true", Some(true)),
            ("True", Some(true)),
            ("0", Some(false)),
            ("f", Some(false)),
            ("F", Some(false)),
            ("FALSE", Some(false)),
            ("false", Some(false)),
            ("False", Some(false)),
            ("", None),
            ("yes", None),
            ("tRUE", None),
            ("on", None),
        ] {
            let flag = params(&format!("k={text}")).flag("k");
            assert_eq!(flag.ok().flatten(), value, "{text:?}");
        }
        assert_eq!(params("").flag("k").expect("absent"), None);
        let error = params("k=yes").flag("k").expect_err("no boolean");
        assert_eq!(error.what(), "s3://: parameter k is \"yes\", not a boolean: true or false");
    }

    #[test]
    fn switches_may_stand_alone() {
        for (query, value) in
            [("", Some(false)), ("k", Some(true)), ("k=", Some(true)), ("k=f", Some(false)), ("k=no", None)]
        {
            assert_eq!(params(query).switch("k").ok(), value, "{query:?}");
        }
    }

    #[test]
    fn durations_numbers_and_choices() {
        let mut good = params("wait=1m30s&size=10&offset=oldest");
        assert_eq!(good.duration("wait").expect("wait"), Some(Duration::from_secs(90)));
        assert_eq!(good.number::<u8>("size").expect("size"), Some(10));
        let offsets = [("oldest", 1), ("newest", 2)];
        assert_eq!(good.choice("offset", &offsets).expect("offset"), Some(1));
        good.finish().expect("nothing left");

        let mut bad = params("wait=20&size=300&offset=latest");
        let wait = bad.duration("wait").expect_err("no unit").to_string();
        assert!(wait.starts_with("s3://: parameter wait: missing unit in duration \"20\""), "{wait}");
        let size = bad.number::<u8>("size").expect_err("too large").to_string();
        assert_eq!(size, "s3://: parameter size is \"300\", not a number in its range");
        let offset = bad.choice("offset", &offsets).expect_err("no such").to_string();
        assert_eq!(offset, "s3://: parameter offset is \"latest\", not one of oldest, newest");
    }

    #[test]
    fn what_is_left_is_an_error() {
        let mut some = params("reigon=r&endpoint=e&x=hunter2&x=2");
        some.text("region").expect("absent");
        some.text("endpoint").expect("given");
        let error = some.finish().expect_err("unknown").to_string();
        assert_eq!(
            error,
            "s3://: unknown parameters \"reigon\", \"x\"; those it takes here: endpoint, region"
        );
        let error = params("X=1").finish().expect_err("unknown").to_string();
        assert_eq!(error, "s3://: unknown parameter \"X\"; those it takes here: none");
        params("").finish().expect("none given");
    }
}
