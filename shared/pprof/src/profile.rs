//! A profile as interned columns: mappings, functions, locations and samples refer to each other by
//! position and to texts by number; stacks, values, labels and lines lie in flat arenas.

use std::borrow::Cow;
use std::fmt;

use crate::decode::decode;
use crate::encode;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::strings::{Str, Strings};
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
        if !gzip::is_gzip(bytes) {
            return Self::decode(bytes, limits);
        }
        let raw = gzip::inflate(bytes, limits.raw_bytes)?;
        if gzip::is_gzip(&raw) {
            return Err(Fault::GzipTwice.into());
        }
        Self::decode(&raw, limits)
    }

    /// Reads a profile that is not compressed, and checks it.
    ///
    /// # Errors
    /// As [`Profile::parse`].
    pub fn decode(raw: &[u8], limits: &Limits) -> Result<Self, Error> {
        decode(raw, limits).map_err(|error| legacy::name(raw, error))
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

/// What a profile says of itself as a whole.
#[derive(Clone, Default)]
pub(crate) struct Header {
    pub(crate) sample_types: Vec<Kind>,
    pub(crate) default_sample_type: Str,
    pub(crate) drop_frames: Str,
    pub(crate) keep_frames: Str,
    pub(crate) doc_url: Str,
    pub(crate) comments: Vec<Str>,
    pub(crate) period_type: Kind,
    pub(crate) period: i64,
    pub(crate) time_nanos: i64,
    pub(crate) duration_nanos: i64,
}

/// `ValueType` in `profile.proto`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) kind: Str,
    pub(crate) unit: Str,
}

#[derive(Clone)]
pub(crate) struct Mapping {
    pub(crate) id: u64,
    pub(crate) start: u64,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
    pub(crate) file: Str,
    pub(crate) build_id: Str,
    /// Fields 7 to 10: has_functions, has_filenames, has_line_numbers, has_inline_frames.
    pub(crate) has: [bool; 4],
}

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) id: u64,
    pub(crate) name: Str,
    pub(crate) system_name: Str,
    pub(crate) filename: Str,
    pub(crate) start_line: i64,
}

#[derive(Clone)]
pub(crate) struct Location {
    pub(crate) id: u64,
    /// A position in `mappings`.
    pub(crate) mapping: Option<u32>,
    pub(crate) address: u64,
    /// In `lines`, the innermost inlined call first.
    pub(crate) lines: Span,
    pub(crate) folded: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// A position in `functions`.
    pub(crate) function: u32,
    pub(crate) line: i64,
    pub(crate) column: i64,
}

/// A part of an arena. Two ends, so that pruning can cut a part without moving what follows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// From `start` to where an arena ends now.
    pub(crate) fn since(start: usize, end: usize) -> Self {
        Self { start: index(start), end: index(end) }
    }

    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn len(self) -> usize {
        self.range().len()
    }
}

/// All samples: stacks, values and labels in one arena each.
#[derive(Clone)]
pub(crate) struct Samples {
    /// Values per sample: the number of sample types.
    pub(crate) width: usize,
    /// In `frames`.
    pub(crate) stacks: Vec<Span>,
    /// Positions in `locations`, the leaf of each stack first.
    pub(crate) frames: Vec<u32>,
    pub(crate) values: Vec<i64>,
    /// In `labels`. Empty as long as no sample has a label.
    pub(crate) label_spans: Vec<Span>,
    pub(crate) labels: Vec<Label>,
}

/// A label of a sample. Within a sample: texts before numbers, each by the bytes of its key, values of
/// one key in their first order. That is how google/pprof compares and writes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub(crate) key: Str,
    pub(crate) value: LabelValue,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LabelValue {
    Text(Str),
    /// The unit is `None` when no value of this key has one in this sample, which google/pprof tells from
    /// an empty unit.
    Number(i64, Option<Str>),
}

impl Samples {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            stacks: Vec::new(),
            frames: Vec::new(),
            values: Vec::new(),
            label_spans: Vec::new(),
            labels: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.stacks.len()
    }

    pub(crate) fn stack(&self, sample: usize) -> &[u32] {
        &self.frames[self.stacks[sample].range()]
    }

    pub(crate) fn values(&self, sample: usize) -> &[i64] {
        &self.values[sample * self.width..(sample + 1) * self.width]
    }

    pub(crate) fn values_mut(&mut self, sample: usize) -> &mut [i64] {
        &mut self.values[sample * self.width..(sample + 1) * self.width]
    }

    pub(crate) fn labels(&self, sample: usize) -> &[Label] {
        self.label_spans.get(sample).map_or(&[], |span| &self.labels[span.range()])
    }

    pub(crate) fn is_zero(&self, sample: usize) -> bool {
        self.values(sample).iter().all(|&value| value == 0)
    }

    /// Makes a sample of what was added to the arenas since they had these lengths. Its values must be in
    /// place, or follow at once.
    pub(crate) fn close(&mut self, frames: usize, labels: usize) {
        if self.labels.len() > labels {
            self.label_spans.resize(self.stacks.len(), Span::default());
        }
        if !self.labels.is_empty() {
            self.label_spans.push(Span::since(labels, self.labels.len()));
        }
        self.stacks.push(Span::since(frames, self.frames.len()));
    }
}

/// A position in a column or arena.
///
/// Never past `u32::MAX`: a decoded profile has fewer bytes than that, and merging checks the sums.
#[expect(
    clippy::expect_used,
    reason = "decoding and merging refuse what would have more entries than a u32 counts"
)]
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).expect("columns have at most u32::MAX entries")
}
