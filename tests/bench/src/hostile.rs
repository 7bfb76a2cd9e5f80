//! Profiles made to cost as much as the limits let them: at every limit at once, or at one of them. All that they hold
//! is different and used, so that a merge has to look at all of it and can leave out none.

mod wire;

use autopgo_pprof::Limits;

use self::wire::Message;
use crate::error::Error;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    sample_types: usize,
    samples: usize,
    frames: usize,
    labels: usize,
    /// The labels of the first sample; the others share the rest.
    labels_of_first: usize,
    mappings: usize,
    locations: usize,
    lines: usize,
    /// The lines of the first location; the others share the rest.
    lines_of_first: usize,
    functions: usize,
    strings: usize,
    comments: usize,
    /// How many locations may be between a sample's first two frames and its root.
    between: usize,
    /// The bytes of it all: the last name is as long as that takes.
    raw_bytes: Option<u64>,
}

/// The texts before the names.
const WORDS: [&str; 5] = ["", "samples", "count", "cpu", "nanoseconds"];
/// Locations whose ids take one byte each.
const SHORT_IDS: usize = 127;

impl Shape {
    /// At every limit at once. Most frames have short ids, or the raw limit would be passed before the others.
    pub(crate) fn all(limits: &Limits) -> Self {
        Self {
            sample_types: limits.sample_types,
            samples: limits.samples,
            frames: limits.frames,
            labels: limits.labels,
            labels_of_first: limits.labels_per_sample,
            mappings: limits.mappings,
            locations: limits.locations,
            lines: limits.lines,
            lines_of_first: limits.lines_per_location,
            functions: limits.functions,
            strings: limits.strings,
            comments: limits.comments,
            between: SHORT_IDS,
            raw_bytes: Some(limits.raw_bytes),
        }
    }

    /// Shapes that are at one limit, or at two that belong together, with little else; and their names.
    pub(crate) fn single(limits: &Limits) -> [(&'static str, Self); 9] {
        let plain = Self::plain(1000);
        let stacks = limits.samples.isqrt() + 1;
        // Rounded up: the last of them has less than the limit, none has more.
        let labelled = limits.labels.div_ceil(limits.labels_per_sample);
        let long = limits.lines.div_ceil(limits.lines_per_location);
        let inlined = limits.functions.div_ceil(limits.lines_per_location);
        [
            ("samples", Self { samples: limits.samples, frames: 2 * limits.samples, ..Self::plain(stacks) }),
            ("frames", Self { frames: limits.frames, ..plain }),
            (
                "labels",
                Self {
                    samples: labelled,
                    frames: 2 * labelled,
                    labels: limits.labels,
                    labels_of_first: limits.labels_per_sample,
                    ..Self::plain(labelled.isqrt() + 1)
                },
            ),
            ("mappings", Self { mappings: limits.mappings, ..Self::plain(limits.mappings) }),
            (
                "locations",
                Self {
                    locations: limits.locations,
                    lines: limits.locations,
                    between: limits.locations,
                    frames: limits.locations + 2 * plain.samples,
                    ..plain
                },
            ),
            (
                "lines",
                Self { lines: limits.lines, lines_of_first: limits.lines_per_location, ..Self::plain(long) },
            ),
            (
                "names",
                Self {
                    functions: limits.functions,
                    strings: limits.strings,
                    lines: limits.functions,
                    lines_of_first: limits.lines_per_location,
                    ..Self::plain(inlined)
                },
            ),
            ("comments", Self { comments: limits.comments, strings: limits.strings, ..plain }),
            ("text", Self { raw_bytes: Some(limits.raw_bytes), ..plain }),
        ]
    }

    /// So many samples of two frames, each leaf another location.
    fn plain(count: usize) -> Self {
        Self {
            sample_types: 2,
            samples: count,
            frames: 2 * count,
            labels: 0,
            labels_of_first: 0,
            mappings: 1,
            locations: count,
            lines: count,
            lines_of_first: 1,
            functions: 1000,
            strings: WORDS.len() + 1000,
            comments: 0,
            between: count,
            raw_bytes: None,
        }
    }

    /// The protobuf.
    ///
    /// # Errors
    /// `TooLarge` when all of it takes more than the bytes asked for.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut raw = Message::default();
        self.header(&mut raw);
        self.samples(&mut raw);
        self.mappings(&mut raw);
        self.locations(&mut raw);
        self.functions(&mut raw);
        self.strings(&mut raw)?;
        Ok(raw.bytes)
    }

    fn header(&self, raw: &mut Message) {
        for at in 0..self.sample_types {
            let (kind, unit) = match at {
                0 => (1, 2),
                1 => (3, 4),
                _ => (self.name(at), 2),
            };
            raw.message(1, |it| it.number(1, kind).number(2, unit));
        }
        raw.message(11, |it| it.number(1, 3).number(2, 4)).number(12, 10_000_000);
        raw.packed(13, (0..self.comments).map(|at| self.name(at)));
    }

    fn samples(&self, raw: &mut Message) {
        let (frames, labels) = (share(self.frames, self.samples), self.shares_of_labels());
        let mut inner = 0;
        for sample in 0..self.samples {
            raw.message(2, |it| {
                let between = frames(sample).saturating_sub(2);
                let inners = (inner..inner + between).map(|at| id(at % self.between));
                it.packed(1, self.ends(sample).into_iter().chain(inners).take(frames(sample)));
                inner += between;
                it.packed(2, (0..self.sample_types).map(|_| 1));
                for at in 0..labels(sample) {
                    it.message(3, |label| label.number(1, self.name(at)).number(2, self.name(sample + at)));
                }
                it
            });
        }
    }

    /// The leaf and its caller: another pair for each sample, as long as there are pairs.
    fn ends(&self, sample: usize) -> [u64; 2] {
        let all = self.locations;
        [id(sample % all), id((sample / all + sample * 7919) % all)]
    }

    fn mappings(&self, raw: &mut Message) {
        for at in 0..self.mappings {
            let start = (at as u64) << 20;
            raw.message(3, |it| {
                let it = it.number(1, id(at)).number(2, start).number(3, start + (1 << 20));
                it.number(4, (at as u64) << 12).number(5, self.name(0))
            });
        }
    }

    fn locations(&self, raw: &mut Message) {
        let lines =
            after_first(self.lines_of_first, share(self.lines - self.lines_of_first, self.locations - 1));
        let mut line = 0;
        for at in 0..self.locations {
            raw.message(4, |it| {
                it.number(1, id(at)).number(2, id(at % self.mappings)).number(3, id(at));
                for _ in 0..lines(at) {
                    it.message(4, |it| {
                        it.number(1, id(line % self.functions)).number(2, 2 + line as u64 % 100)
                    });
                    line += 1;
                }
                it
            });
        }
    }

    fn functions(&self, raw: &mut Message) {
        for at in 0..self.functions {
            // Where there are fewer names than functions, the first line tells them apart.
            let start_line = 1 + at / self.names();
            raw.message(5, |it| it.number(1, id(at)).number(2, self.name(at)).number(5, start_line as u64));
        }
    }

    fn strings(&self, raw: &mut Message) -> Result<(), Error> {
        for word in WORDS {
            raw.text(6, word.as_bytes());
        }
        for at in 1..self.names() {
            raw.text(6, format!("f{at:x}").as_bytes());
        }
        match self.raw_bytes {
            None => {
                raw.text(6, b"f0");
            }
            Some(limit) => {
                let room = usize::try_from(limit).unwrap_or(usize::MAX);
                if !raw.text_up_to(6, b'f', room) {
                    return Err(Error::TooLarge { found: raw.bytes.len(), limit });
                }
            }
        }
        Ok(())
    }

    fn shares_of_labels(&self) -> impl Fn(usize) -> usize + use<> {
        after_first(self.labels_of_first, share(self.labels - self.labels_of_first, self.samples - 1))
    }

    fn names(&self) -> usize {
        self.strings - WORDS.len()
    }

    /// The number in the string table of one name of all.
    fn name(&self, at: usize) -> u64 {
        (WORDS.len() + at % self.names()) as u64
    }
}

/// Ids count from 1.
fn id(at: usize) -> u64 {
    at as u64 + 1
}

/// How many of `total` things each of `count` has; the first ones may have one more.
fn share(total: usize, count: usize) -> impl Fn(usize) -> usize {
    let count = count.max(1);
    move |at| total / count + usize::from(at < total % count)
}

fn after_first(first: usize, rest: impl Fn(usize) -> usize) -> impl Fn(usize) -> usize {
    move |at| if at == 0 { first } else { rest(at - 1) }
}

#[cfg(test)]
mod tests {
    use autopgo_pprof::{ErrorKind, Profile, compact, merge};

    use super::*;

    fn limits() -> Limits {
        Limits {
            raw_bytes: 100_000,
            samples: 300,
            locations: 150,
            functions: 120,
            mappings: 10,
            strings: 100,
            labels_per_sample: 8,
            comments: 90,
            sample_types: 16,
            frames: 9600,
            labels: 800,
            lines: 600,
            lines_per_location: 16,
        }
    }

    #[test]
    fn it_is_at_every_limit() {
        let raw = Shape::all(&limits()).encode().unwrap();
        Profile::decode(&raw, &limits()).unwrap();
        type Lower = fn(&mut Limits);
        let lower: [(&str, Lower); 13] = [
            ("raw_bytes", |it| it.raw_bytes -= 1),
            ("samples", |it| it.samples -= 1),
            ("locations", |it| it.locations -= 1),
            ("functions", |it| it.functions -= 1),
            ("mappings", |it| it.mappings -= 1),
            ("strings", |it| it.strings -= 1),
            ("labels_per_sample", |it| it.labels_per_sample -= 1),
            ("comments", |it| it.comments -= 1),
            ("sample_types", |it| it.sample_types -= 1),
            ("frames", |it| it.frames -= 1),
            ("labels", |it| it.labels -= 1),
            ("lines", |it| it.lines -= 1),
            ("lines_per_location", |it| it.lines_per_location -= 1),
        ];
        for (name, lower) in lower {
            let mut limits = limits();
            lower(&mut limits);
            let error = Profile::decode(&raw, &limits).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Limit, "{name}: {error}");
        }
    }

    /// Limits that are no multiples of each other, and above what a shape at one of them has of the rest.
    fn odd_limits() -> Limits {
        Limits {
            raw_bytes: 4_000_000,
            samples: 20_001,
            locations: 10_003,
            functions: 10_007,
            mappings: 1009,
            strings: 10_009,
            labels_per_sample: 61,
            comments: 5003,
            sample_types: 16,
            frames: 640_007,
            labels: 80_021,
            lines: 40_009,
            lines_per_location: 251,
        }
    }

    #[test]
    fn nothing_of_it_can_be_left_out() {
        let limits = odd_limits();
        let mut shapes = vec![("all", Shape::all(&limits))];
        shapes.extend(Shape::single(&limits));
        for (name, shape) in shapes {
            let profile = Profile::decode(&shape.encode().unwrap(), &limits);
            let profile = profile.unwrap_or_else(|error| panic!("{name}: {error}"));
            let merged = merge(&[&profile]).unwrap();
            let counts = |it: &Profile| {
                (it.sample_count(), it.location_count(), it.mapping_count(), it.comments().len())
            };
            assert_eq!(counts(&merged), counts(&profile), "{name}");
            let used = shape.functions.min(shape.lines);
            assert_eq!(merged.function_count(), used, "{name}");
            assert!(compact(&profile).unwrap().sample_count() > 0, "{name}");
        }
    }

    #[test]
    fn the_raw_size_is_exact() {
        let raw = Shape::single(&limits()).into_iter().find(|(name, _)| *name == "text").unwrap().1;
        assert_eq!(raw.encode().unwrap().len(), 100_000);
        let tight = Shape { raw_bytes: Some(1000), ..raw };
        assert!(matches!(tight.encode(), Err(Error::TooLarge { limit: 1000, .. })));
    }
}
