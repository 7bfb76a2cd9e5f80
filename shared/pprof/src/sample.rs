//! Samples as their readers see them: stacks of named frames, values and labels.

use std::borrow::Cow;

use crate::profile::{self, Function, Line, Location, Profile};
use crate::strings::Str;

/// One sample of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    profile: &'a Profile,
    at: usize,
}

/// A call in a stack. It is looked up as it is asked for: names may be long, and a stack may have one many times over;
/// who wants each once keeps them by [`Frame::function_number`].
///
/// Text that is not UTF-8 shows as U+FFFD.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    profile: &'a Profile,
    location: &'a Location,
    line: Option<&'a Line>,
    inlined: bool,
}

/// What a sample was tagged with. Text that is not UTF-8 shows as U+FFFD.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    profile: &'a Profile,
    label: &'a profile::Label,
}

/// The value of a [`Label`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelValue<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number, and its unit. google/pprof tells an empty unit from none.
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
    ///     let leaf = sample.stack().next().map(|frame| frame.function());
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
    pub fn stack(&self) -> impl DoubleEndedIterator<Item = Frame<'a>> + use<'a> {
        let profile = self.profile;
        profile.samples.stack(self.at).iter().flat_map(move |&at| {
            let location = &profile.locations[at as usize];
            let lines = profile.lines_of(location);
            // A location without lines is a call that nobody gave a name.
            (0..lines.len().max(1)).map(move |at| Frame {
                profile,
                location,
                line: lines.get(at),
                inlined: at + 1 < lines.len(),
            })
        })
    }

    /// The labels: texts before numbers, each in the order of their keys.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = Label<'a>> + use<'a> {
        let profile = self.profile;
        profile.samples.labels(self.at).iter().map(move |label| Label { profile, label })
    }
}

impl<'a> Frame<'a> {
    /// The function's name, in Go its linker symbol; empty where a location was not symbolized.
    #[must_use]
    pub fn function(&self) -> Cow<'a, str> {
        self.text(|function| function.name)
    }

    /// Which of the profile's functions it is, counted from 0 and below [`Profile::function_count`].
    #[must_use]
    pub fn function_number(&self) -> Option<usize> {
        self.line.map(|line| line.function as usize)
    }

    /// The function's source file.
    #[must_use]
    pub fn file(&self) -> Cow<'a, str> {
        self.text(|function| function.filename)
    }

    /// The line in that file.
    #[must_use]
    pub fn line(&self) -> i64 {
        self.line.map_or(0, |line| line.line)
    }

    /// The line at which the function starts; 0 if the profile does not say.
    #[must_use]
    pub fn start_line(&self) -> i64 {
        self.of().map_or(0, |function| function.start_line)
    }

    /// The address of the instruction; calls that were inlined into one another share it.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.location.address
    }

    /// Whether this call was inlined into the next one of the stack.
    #[must_use]
    pub fn is_inlined(&self) -> bool {
        self.inlined
    }

    fn of(&self) -> Option<&'a Function> {
        self.line.map(|line| &self.profile.functions[line.function as usize])
    }

    fn text(&self, which: fn(&Function) -> Str) -> Cow<'a, str> {
        self.profile.strings.text(self.of().map_or(Str::EMPTY, which))
    }
}

impl<'a> Label<'a> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> Cow<'a, str> {
        self.profile.strings.text(self.label.key)
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> LabelValue<'a> {
        let text = |text: Str| self.profile.strings.text(text);
        match self.label.value() {
            profile::LabelValue::Text(value) => LabelValue::Text(text(value)),
            profile::LabelValue::Number(number, unit) => LabelValue::Number(number, unit.map(text)),
        }
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
            .map(|frame| (frame.function().into_owned(), frame.address(), frame.is_inlined()))
            .collect();
        let expected = [("leaf", 16, false), ("inner", 32, true), ("outer", 32, false), ("main", 48, false)];
        assert_eq!(stack, expected.map(|(name, address, inlined)| (name.to_owned(), address, inlined)));
        assert_eq!((samples[0].values(), samples[1].values()), (&[3, 30][..], &[4, 40][..]));
        assert_eq!((samples.len(), samples[1].stack().count(), samples[0].labels().len()), (2, 0, 0));
        let leaf = samples[0].stack().next().unwrap();
        assert_eq!((leaf.line(), leaf.start_line(), &*leaf.file()), (12, 10, ""));
        assert_eq!(samples[0].stack().next_back().unwrap().function_number(), Some(3));
    }

    #[test]
    fn a_call_without_a_name_is_a_frame() {
        let mut profile = cpu(&["1: gone"]);
        profile.locations[0].lines = profile::Span::default();
        let frames: Vec<Frame<'_>> = profile.samples().flat_map(|sample| sample.stack()).collect();
        assert_eq!(frames.len(), 1);
        assert_eq!((&*frames[0].function(), frames[0].line(), frames[0].address()), ("", 0, 16));
        assert_eq!(frames[0].function_number(), None);
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
            profile.samples().flat_map(|sample| sample.labels()).map(|label| label.value()).collect();
        let number = |number, unit: Option<&'static str>| LabelValue::Number(number, unit.map(Cow::Borrowed));
        assert_eq!(found, [LabelValue::Text("/".into()), number(5, Some("bytes")), number(6, None)]);
    }
}
