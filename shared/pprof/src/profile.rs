//! A profile, as its users see it: read, asked, written.

mod columns;

use std::borrow::Cow;
use std::fmt;

pub(crate) use self::columns::{
    Function, Header, Kind, Label, LabelValue, Line, Location, Mapping, Samples, Span, index, permute, pick,
};
use crate::decode::{Keep, decode};
use crate::encode;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::strings::Strings;
use crate::{gzip, legacy};

/// A pprof profile: what `profile.proto` holds, checked.
#[derive(Clone)]
pub struct Profile {
    pub(crate) strings: Strings,
    pub(crate) header: Header,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) functions: Vec<Function>,
    pub(crate) locations: Vec<Location>,
    /// The lines of all locations.
    pub(crate) lines: Vec<Line>,
    pub(crate) samples: Samples,
}

/// A sample or period type: `samples/count`, `cpu/nanoseconds`. Text that is not UTF-8 shows as U+FFFD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueType<'a> {
    /// What is measured: `samples`, `cpu`, `alloc_space`.
    pub kind: &'a str,
    /// Its unit: `count`, `nanoseconds`, `bytes`.
    pub unit: &'a str,
}

impl fmt::Display for ValueType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.unit)
    }
}

impl Profile {
    /// Reads a profile, gzip or not, and checks it as google/pprof's `CheckValid` does.
    ///
    /// # Errors
    /// `Malformed` for what is no pprof protobuf or contradicts itself, `Legacy` for a format from before
    /// it, `Limit` for one past a limit. At most `limits.raw_bytes` are inflated.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        Self::decode(&raw(bytes, limits)?, limits)
    }

    /// Reads a profile, gzip or not, and keeps what the compiler looks at: of every stack the leaf and its caller, and no
    /// labels. It is checked as by [`Profile::parse`], and [`Edges`](crate::Edges), [`compact`](crate::compact()) and
    /// [`check::upload`](crate::check::upload) say the same of it; it holds less memory. To merge or prune, read it whole.
    ///
    /// ```
    /// use autopgo_pprof::{Limits, Profile, compact};
    ///
    /// let (bytes, limits) = (Profile::empty_cpu().write(), Limits::default());
    /// let small = compact(&Profile::parse_top(&bytes, &limits)?)?;
    /// assert_eq!(small.encode(), compact(&Profile::parse(&bytes, &limits)?)?.encode());
    /// # Ok::<(), autopgo_pprof::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Profile::parse`].
    pub fn parse_top(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let raw = raw(bytes, limits)?;
        // The whole way has the words for what is wrong.
        decode(&raw, limits, Keep::Top).or_else(|_| Self::decode(&raw, limits))
    }

    /// Reads a profile that is not compressed, and checks it.
    ///
    /// # Errors
    /// As [`Profile::parse`].
    pub fn decode(raw: &[u8], limits: &Limits) -> Result<Self, Error> {
        decode(raw, limits, Keep::All).map_err(|error| legacy::name(raw, error))
    }

    /// The protobuf, not compressed: the bytes of google/pprof's `WriteUncompressed`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode::encode(self)
    }

    /// The length of [`Profile::encode`] in bytes, without encoding.
    #[must_use]
    pub fn encoded_len(&self) -> u64 {
        encode::encoded_len(self)
    }

    /// About how many bytes of memory it holds: for callers who hold several.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        fn column<T>(column: &[T]) -> usize {
            size_of_val(column)
        }
        let samples = &self.samples;
        self.strings.heap_bytes()
            + column(&self.mappings)
            + column(&self.functions)
            + column(&self.locations)
            + column(&self.lines)
            + column(&samples.stacks)
            + column(&samples.frames)
            + column(&samples.values)
            + column(&samples.label_spans)
            + column(&samples.labels)
    }

    /// The protobuf in gzip, as Go's tools expect a profile file.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        gzip::deflate(&self.encode())
    }

    /// A CPU profile without samples: `samples/count` and `cpu/nanoseconds`, and nothing else.
    #[must_use]
    pub fn empty_cpu() -> Self {
        let mut strings = Strings::new();
        let mut kind = |kind: &str, unit: &str| Kind {
            kind: strings.intern(kind.as_bytes()),
            unit: strings.intern(unit.as_bytes()),
        };
        let (samples, cpu) = (kind("samples", "count"), kind("cpu", "nanoseconds"));
        let header = Header { sample_types: vec![samples, cpu], period_type: cpu, ..Header::default() };
        Self::with_header(strings, header)
    }

    /// A profile of a header only.
    pub(crate) fn with_header(strings: Strings, header: Header) -> Self {
        let samples = Samples::new(header.sample_types.len());
        Self {
            strings,
            header,
            mappings: Vec::new(),
            functions: Vec::new(),
            locations: Vec::new(),
            lines: Vec::new(),
            samples,
        }
    }

    /// The sample types, in the order of each sample's values.
    pub fn sample_types(&self) -> impl ExactSizeIterator<Item = ValueType<'_>> {
        self.header.sample_types.iter().map(|&kind| self.value_type(kind))
    }

    /// What one period is of; both parts are empty when the profile does not say.
    #[must_use]
    pub fn period_type(&self) -> ValueType<'_> {
        self.value_type(self.header.period_type)
    }

    /// Events between two samples, in the unit of [`Profile::period_type`].
    #[must_use]
    pub fn period(&self) -> i64 {
        self.header.period
    }

    /// When the profile was taken, in nanoseconds since 1970; 0 when unknown.
    #[must_use]
    pub fn time_nanos(&self) -> i64 {
        self.header.time_nanos
    }

    /// How long it was taken, in nanoseconds; the sum for a merged profile.
    #[must_use]
    pub fn duration_nanos(&self) -> i64 {
        self.header.duration_nanos
    }

    /// How many samples it has.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.samples.len()
    }

    /// How many locations it has.
    #[must_use]
    pub fn location_count(&self) -> usize {
        self.locations.len()
    }

    /// How many functions it has.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// How many mappings it has.
    #[must_use]
    pub fn mapping_count(&self) -> usize {
        self.mappings.len()
    }

    /// How many entries its string table has when encoded: what is used, each text once.
    #[must_use]
    pub fn string_count(&self) -> usize {
        encode::string_count(self)
    }

    /// The comments in order. Bytes that are not UTF-8 show as U+FFFD.
    pub fn comments(&self) -> impl ExactSizeIterator<Item = Cow<'_, str>> {
        self.header.comments.iter().map(|&comment| self.strings.text(comment))
    }

    /// Replaces all comments.
    pub fn set_comments<I, S>(&mut self, comments: I)
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let comments = comments.into_iter().map(|comment| self.strings.intern(comment.as_ref().as_bytes()));
        self.header.comments = comments.collect();
    }

    /// The sum of all values of each sample type.
    #[must_use]
    pub fn totals(&self) -> Vec<i128> {
        let mut totals = vec![0; self.samples.width];
        for i in 0..self.samples.len() {
            for (total, &value) in totals.iter_mut().zip(self.samples.values(i)) {
                *total += i128::from(value);
            }
        }
        totals
    }

    /// Whether [`Profile::decode`] would take what [`Profile::encode`] gives under these limits.
    ///
    /// # Errors
    /// `Limit`, naming the first limit that is passed.
    pub fn fits(&self, limits: &Limits) -> Result<(), Error> {
        let most = |spans: &mut dyn Iterator<Item = Span>| spans.map(Span::len).max().unwrap_or(0);
        let sum = |spans: &mut dyn Iterator<Item = Span>| spans.map(Span::len).sum();
        let samples = &self.samples;
        let lines = || self.locations.iter().map(|location| location.lines);
        for (what, found, limit) in [
            ("sample types", self.header.sample_types.len(), limits.sample_types),
            ("samples", samples.len(), limits.samples),
            ("mappings", self.mappings.len(), limits.mappings),
            ("locations", self.locations.len(), limits.locations),
            ("functions", self.functions.len(), limits.functions),
            ("strings", self.string_count(), limits.strings),
            ("comments", self.header.comments.len(), limits.comments),
            ("stack frames", sum(&mut samples.stacks.iter().copied()), limits.frames),
            ("labels", sum(&mut samples.label_spans.iter().copied()), limits.labels),
            (
                "labels on one sample",
                most(&mut samples.label_spans.iter().copied()),
                limits.labels_per_sample,
            ),
            ("lines", sum(&mut lines()), limits.lines),
            ("lines on one location", most(&mut lines()), limits.lines_per_location),
        ] {
            limits::at_most(what, found, limit)?;
        }
        let raw = usize::try_from(self.encoded_len()).unwrap_or(usize::MAX);
        limits::raw_bytes(raw, limits)
    }

    pub(crate) fn value_type(&self, kind: Kind) -> ValueType<'_> {
        let part = |string| str::from_utf8(self.strings.bytes(string)).unwrap_or("\u{fffd}");
        ValueType { kind: part(kind.kind), unit: part(kind.unit) }
    }

    /// The sample types as one text, for messages.
    pub(crate) fn types_text(&self) -> String {
        if self.header.sample_types.is_empty() {
            return "none".to_owned();
        }
        self.sample_types().map(|kind| kind.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// The lines of a location, the innermost inlined call first.
    pub(crate) fn lines_of(&self, location: &Location) -> &[Line] {
        &self.lines[location.lines.range()]
    }
}

impl fmt::Debug for Profile {
    /// A summary: a profile's content can be hundreds of megabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("sample_types", &self.types_text())
            .field("samples", &self.sample_count())
            .field("locations", &self.location_count())
            .field("functions", &self.function_count())
            .field("mappings", &self.mapping_count())
            .finish_non_exhaustive()
    }
}

/// The protobuf in these bytes, gzip or not.
fn raw<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, Error> {
    if !gzip::is_gzip(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    let raw = gzip::inflate(bytes, limits.raw_bytes)?;
    if gzip::is_gzip(&raw) {
        return Err(Fault::GzipTwice.into());
    }
    Ok(Cow::Owned(raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cpu;

    #[test]
    fn an_empty_profile_says_what_it_would_hold() {
        let empty = Profile::empty_cpu();
        let types: Vec<String> = empty.sample_types().map(|it| it.to_string()).collect();
        assert_eq!(types, ["samples/count", "cpu/nanoseconds"]);
        assert_eq!(empty.period_type().to_string(), "cpu/nanoseconds");
        assert_eq!((empty.totals(), empty.string_count()), (vec![0, 0], 5));
        let read = Profile::parse(&empty.write(), &Limits::default()).unwrap();
        assert_eq!(read.encode(), empty.encode());
    }

    #[test]
    fn comments_are_replaced() {
        let mut profile = cpu(&["1: leaf;main"]);
        for comments in [&["a", "b", "a"][..], &["leaf"], &[]] {
            profile.set_comments(comments);
            let read = Profile::decode(&profile.encode(), &Limits::default()).unwrap();
            assert_eq!(read.comments().collect::<Vec<_>>(), comments);
            // Old ones are not written, and one that is a name already is not written again.
            assert!(profile.string_count() <= 5 + 2 + 2);
        }
    }

    #[test]
    fn sums_do_not_overflow() {
        let mut profile = cpu(&["1: a;main", "1: b;main"]);
        profile.samples.values.fill(i64::MAX);
        assert_eq!(profile.totals(), [2 * i128::from(i64::MAX); 2]);
    }
}
