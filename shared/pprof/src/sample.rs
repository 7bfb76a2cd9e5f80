//! Samples as their readers see them: stacks of named frames, values and labels.

use std::borrow::Cow;

use crate::profile::{self, Profile};
use crate::strings::Str;

/// One sample of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    profile: &'a Profile,
    at: usize,
}

/// A call in a stack. Text that is not UTF-8 shows as U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The function's name, in Go its linker symbol; empty where a location was not symbolized.
    pub function: Cow<'a, str>,
    /// The function's source file.
    pub file: Cow<'a, str>,
    /// The line in that file.
    pub line: i64,
    /// The line at which the function starts; 0 if the profile does not say.
    pub start_line: i64,
    /// The address of the instruction; calls that were inlined into one another share it.
    pub address: u64,
    /// Whether this call was inlined into the next one of the stack.
    pub inlined: bool,
}

/// What a sample was tagged with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// The key.
    pub key: Cow<'a, str>,
    /// The value.
    pub value: LabelValue<'a>,
}

/// The value of a [`Label`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelValue<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number, with its unit if it has one.
    Number(i64, Option<Cow<'a, str>>),
}

impl Profile {
    /// The samples, in the order of the profile.
    ///
    /// ```
    /// use autopgo_pprof::{Limits, Profile};
    /// use std::collections::HashMap;
    ///
    /// # fn flat(bytes: &[u8]) -> Result<Vec<(String, i64)>, autopgo_pprof::Error> {
    /// let profile = Profile::parse(bytes, &Limits::default())?;
    /// let mut flat = HashMap::<_, i64>::new();
    /// for sample in profile.samples() {
    ///     let leaf = sample.stack().next().map(|frame| frame.function);
    ///     *flat.entry(leaf.unwrap_or_default()).or_default() += sample.values()[0];
    /// }
    /// # Ok(flat.into_iter().map(|(name, sum)| (name.into_owned(), sum)).collect())
    /// # }
    /// # assert!(flat(&Profile::empty_cpu().write())?.is_empty());
    /// # Ok::<(), autopgo_pprof::Error>(())
    /// ```
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        (0..self.samples.len()).map(|at| Sample { profile: self, at })
    }
}

impl<'a> Sample<'a> {
    /// One value for each of the profile's sample types.
    #[must_use]
    pub fn values(&self) -> &'a [i64] {
        self.profile.samples.values(self.at)
    }

    /// The stack, the innermost call first.
    pub fn stack(&self) -> impl Iterator<Item = Frame<'a>> + use<'a> {
        let profile = self.profile;
        let frames = profile.samples.stack(self.at).iter();
        frames.flat_map(move |&at| {
            let location = &profile.locations[at as usize];
            let lines = profile.lines_of(location);
            // A location without lines is a call that nobody gave a name.
            (0..lines.len().max(1)).map(move |at| frame(profile, location, lines, at))
        })
    }

    /// The labels: texts before numbers, each in the order of their keys.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = Label<'a>> + use<'a> {
        let profile = self.profile;
        let text = |text: Str| profile.strings.text(text);
        profile.samples.labels(self.at).iter().map(move |label| Label {
            key: text(label.key),
            value: match label.value() {
                profile::LabelValue::Text(value) => LabelValue::Text(text(value)),
                profile::LabelValue::Number(number, unit) => LabelValue::Number(number, unit.map(text)),
            },
        })
    }
}

fn frame<'a>(
    profile: &'a Profile,
    location: &profile::Location,
    lines: &[profile::Line],
    at: usize,
) -> Frame<'a> {
    let function = lines.get(at).map(|line| &profile.functions[line.function as usize]);
    let text = |text: fn(&profile::Function) -> Str| profile.strings.text(function.map_or(Str::EMPTY, text));
    Frame {
        function: text(|function| function.name),
        file: text(|function| function.filename),
        line: lines.get(at).map_or(0, |line| line.line),
        start_line: function.map_or(0, |function| function.start_line),
        address: location.address,
        inlined: at + 1 < lines.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cpu;

    #[test]
    fn a_stack_is_read_from_the_leaf_with_what_was_inlined() {
        let profile = cpu(&["3: leaf;inner/outer;main", "4: "]);
        let samples: Vec<Sample<'_>> = profile.samples().collect();
        let stack: Vec<(String, u64, bool)> = samples[0]
            .stack()
            .map(|frame| (frame.function.into_owned(), frame.address, frame.inlined))
            .collect();
        let expected = [("leaf", 16, false), ("inner", 32, true), ("outer", 32, false), ("main", 48, false)];
        assert_eq!(stack, expected.map(|(name, address, inlined)| (name.to_owned(), address, inlined)));
        assert_eq!((samples[0].values(), samples[1].values()), (&[3, 30][..], &[4, 40][..]));
        assert_eq!((samples.len(), samples[1].stack().count(), samples[0].labels().len()), (2, 0, 0));
        let leaf = samples[0].stack().next().unwrap();
        assert_eq!((leaf.line, leaf.start_line, &*leaf.file), (12, 10, ""));
    }

    #[test]
    fn a_call_without_a_name_is_a_frame() {
        let mut profile = cpu(&["1: gone"]);
        profile.locations[0].lines = profile::Span::default();
        let frames: Vec<Frame<'_>> = profile.samples().flat_map(|sample| sample.stack()).collect();
        assert_eq!(frames.len(), 1);
        assert_eq!((&*frames[0].function, frames[0].line, frames[0].address), ("", 0, 16));
    }

    #[test]
    fn labels_are_texts_and_numbers() {
        let mut profile = cpu(&["1: leaf"]);
        let mut text = |text: &str| profile.strings.intern(text.as_bytes());
        let (key, value, unit) = (text("route"), text("/"), text("bytes"));
        let label = profile::Label::new;
        let labels = [
            label(key, profile::LabelValue::Text(value)),
            label(key, profile::LabelValue::Number(5, Some(unit))),
            label(key, profile::LabelValue::Number(6, None)),
        ];
        profile.samples.labels.extend(labels);
        profile.samples.label_spans.push(profile::Span::since(0, 3));
        let found: Vec<LabelValue<'_>> =
            profile.samples().flat_map(|sample| sample.labels()).map(|label| label.value).collect();
        let number = |number, unit: Option<&'static str>| LabelValue::Number(number, unit.map(Cow::Borrowed));
        assert_eq!(found, [LabelValue::Text("/".into()), number(5, Some("bytes")), number(6, None)]);
    }
}
