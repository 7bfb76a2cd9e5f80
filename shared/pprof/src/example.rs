//! Small profiles for unit tests, written as a reader would: `"3: leaf;caller/outer;root"` is a sample of
//! value 3 whose second location has `caller` inlined into `outer`.

use crate::profile::{Function, Line, Location, Profile, Span, index};
use crate::strings::Str;

/// A CPU profile of such samples: 10 ns each, every frame a location of its own address, every name a
/// function that starts at line 10 and is at line 12.
pub(crate) fn cpu(stacks: &[&str]) -> Profile {
    let mut profile = Profile::empty_cpu();
    let mut frames: Vec<&str> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for stack in stacks {
        let (value, stack) = stack.split_once(": ").expect("value: stack");
        let value: i64 = value.parse().expect("a value");
        let start = profile.samples.frames.len();
        for frame in stack.split(';').filter(|frame| !frame.is_empty()) {
            let known = frames.iter().position(|known| *known == frame);
            let at = known.unwrap_or_else(|| {
                frames.push(frame);
                location(frame, &mut names, &mut profile);
                frames.len() - 1
            });
            profile.samples.frames.push(index(at));
        }
        profile.samples.values.extend([value, value.wrapping_mul(10)]);
        profile.samples.close(start, 0);
    }
    profile
}

fn location<'a>(frame: &'a str, names: &mut Vec<&'a str>, profile: &mut Profile) {
    let start = profile.lines.len();
    for name in frame.split('/') {
        let known = names.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            names.push(name);
            let [system_name, filename] = [Str::EMPTY; 2];
            let (id, name) = (names.len() as u64, profile.strings.intern(name.as_bytes()));
            profile.functions.push(Function { id, name, system_name, filename, start_line: 10 });
            names.len() - 1
        });
        profile.lines.push(Line { function: index(at), line: 12, column: 0 });
    }
    let id = profile.locations.len() as u64 + 1;
    let lines = Span::since(start, profile.lines.len());
    profile.locations.push(Location { id, mapping: None, address: id * 16, lines, folded: false });
}

/// The samples of a profile in the same notation.
pub(crate) fn stacks(profile: &Profile) -> Vec<String> {
    let name =
        |line: &Line| profile.strings.text(profile.functions[line.function as usize].name).into_owned();
    let frame = |&at: &u32| {
        let lines = profile.lines_of(&profile.locations[at as usize]);
        lines.iter().map(name).collect::<Vec<_>>().join("/")
    };
    let sample = |at| {
        let stack: Vec<String> = profile.samples.stack(at).iter().map(frame).collect();
        format!("{}: {}", profile.samples.values(at)[0], stack.join(";"))
    };
    (0..profile.samples.len()).map(sample).collect()
}

/// A number on the wire.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Numbers that look random, always the same.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}
