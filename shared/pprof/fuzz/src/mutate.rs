//! Changes that leave a profile one. Of bytes changed at random hardly any are accepted, least of all two
//! profiles at once; so most inputs are changed as messages: a value, a line, a text, a reference to another
//! entry. All numbers and texts come from small pools or from the profile itself, since what matters to the
//! engine is what is equal.

use autopgo_pprof::gzip;
use autopgo_pprof::proto::{Function, Label, Line, Location, Mapping, Message, Profile, Sample};
use libfuzzer_sys::fuzzer_mutate;

const NUMBERS: [i64; 12] = [0, 0, 1, 1, -1, 2, 10, 127, 128, 1 << 32, i64::MIN, i64::MAX];
const ADDRESSES: [u64; 7] = [0, 1, 0x1000, 0xfff, 0x40_0000, 1 << 63, u64::MAX];
const TEXTS: [&[u8]; 9] =
    [b"", b"a", b"b", b"main.main", b"runtime.f", b"cpu", b"samples", b"count", b"\xff"];

/// Randomness from libFuzzer's seed, by splitmix64.
pub struct Dice(u64);

impl Dice {
    /// A number less than `sides`, of which there is at least one.
    pub fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % sides as u64) as usize
    }

    fn one<'a, T>(&mut self, of: &'a mut [T]) -> Option<&'a mut T> {
        if of.is_empty() { None } else { Some(&mut of[self.below(of.len())]) }
    }

    fn copy<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())].clone()) }
    }

    fn number(&mut self) -> i64 {
        NUMBERS[self.below(NUMBERS.len())]
    }

    fn address(&mut self) -> u64 {
        ADDRESSES[self.below(ADDRESSES.len())]
    }
}

/// What a target's `fuzz_mutator!` does: mostly `change`, else as libFuzzer would without it.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    change: impl FnOnce(&[u8], &mut Dice) -> Option<Vec<u8>>,
) -> usize {
    let mut dice = Dice(u64::from(seed));
    if dice.below(4) > 0
        && let Some(changed) = change(&data[..size], &mut dice)
        && changed.len() <= max_size
    {
        data[..changed.len()].copy_from_slice(&changed);
        return changed.len();
    }
    fuzzer_mutate(data, size, max_size)
}

/// Another profile than this one, if it is one.
pub fn profile(bytes: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let zipped = gzip::is_gzip(bytes);
    let inflated = if zipped { gzip::inflate(bytes, 1 << 16).ok()? } else { Vec::new() };
    let mut message = Profile::decode(if zipped { &inflated } else { bytes }).ok()?;
    for _ in 0..1 + dice.below(4) {
        change(&mut message, dice);
    }
    let raw = message.encode_to_vec();
    Some(if zipped { gzip::deflate(&raw) } else { raw })
}

fn change(message: &mut Profile, dice: &mut Dice) {
    match dice.below(12) {
        0..=2 => samples(message, dice),
        3..=5 => sample(message, dice),
        6 | 7 => location(message, dice),
        8 => function(message, dice),
        9 => mapping(message, dice),
        10 => texts(message, dice),
        _ => header(message, dice),
    }
}

/// Any entry of the string table.
fn text(message: &Profile, dice: &mut Dice) -> i64 {
    dice.below(message.string_table.len().max(1)) as i64
}

fn samples(message: &mut Profile, dice: &mut Dice) {
    let all = &mut message.sample;
    match (dice.below(4), all.len()) {
        (_, 0) => {
            let value = vec![dice.number(); message.sample_type.len()];
            all.push(Sample { value, ..Sample::default() });
        }
        (0, count) => drop(all.remove(dice.below(count))),
        (1, count) => all.swap(dice.below(count), dice.below(count)),
        _ => all.extend(dice.copy(all)),
    }
}

fn sample(message: &mut Profile, dice: &mut Dice) {
    let texts = [(); 3].map(|()| text(message, dice));
    let location = dice.copy(&message.location);
    let Some(sample) = dice.one(&mut message.sample) else { return };
    let stack = &mut sample.location_id;
    match dice.below(7) {
        0 => stack.extend(location.map(|it| it.id)),
        1 => stack.truncate(dice.below(stack.len() + 1)),
        2 => drop(dice.one(stack).zip(location).map(|(frame, location)| *frame = location.id)),
        3 => sample.label.truncate(dice.below(sample.label.len() + 1)),
        4 => {
            let [key, str, num_unit] = texts;
            let num = dice.number();
            sample.label.push(match dice.below(3) {
                0 => Label { key, str, ..Label::default() },
                1 => Label { key, num, ..Label::default() },
                _ => Label { key, num, num_unit, ..Label::default() },
            });
        }
        _ => {
            let number = dice.number();
            dice.one(&mut sample.value).into_iter().for_each(|value| *value = number);
        }
    }
}

fn location(message: &mut Profile, dice: &mut Dice) {
    let (function, mapping) = (dice.copy(&message.function), dice.copy(&message.mapping));
    let other = dice.copy(&message.location);
    let highest = message.location.iter().map(|it| it.id).max().unwrap_or(0);
    let Some(location) = dice.one(&mut message.location) else {
        return message.location.push(Location { id: 1, address: dice.address(), ..Location::default() });
    };
    let line = Line { function_id: function.map_or(0, |it| it.id), line: dice.number(), column: 0 };
    match dice.below(9) {
        0 => location.mapping_id = mapping.map_or(0, |it| it.id),
        1 => location.address = mapping.map_or(0, |it| it.memory_start).wrapping_add(dice.address()),
        2 => location.is_folded ^= true,
        3 if line.function_id > 0 => location.line.push(line),
        4 => location.line.truncate(dice.below(location.line.len() + 1)),
        5 if line.function_id > 0 => drop(dice.one(&mut location.line).map(|it| *it = line)),
        6 => drop(dice.one(&mut location.line).map(|it| it.column = dice.number())),
        7 => *location = Location { id: location.id, ..other.unwrap_or_default() },
        // A twin, perhaps with an id far from the others.
        _ => {
            let Some(id) = highest.checked_add(1 + dice.below(2) as u64 * 1000) else { return };
            let twin = Location { id, ..location.clone() };
            message.location.push(twin);
            let ids = message.sample.iter_mut().flat_map(|sample| sample.location_id.last_mut());
            ids.filter(|_| dice.below(2) == 0).for_each(|frame| *frame = id);
        }
    }
}

fn function(message: &mut Profile, dice: &mut Dice) {
    let text = text(message, dice);
    let highest = message.function.iter().map(|it| it.id).max().unwrap_or(0);
    let Some(function) = dice.one(&mut message.function) else {
        return message.function.push(Function { id: 1, name: text, ..Function::default() });
    };
    match dice.below(5) {
        0 => function.name = text,
        1 => function.system_name = text,
        2 => function.filename = text,
        3 => function.start_line = dice.number(),
        _ => {
            let Some(id) = highest.checked_add(1) else { return };
            let twin = Function { id, ..*function };
            message.function.push(twin);
            let lines = message.location.iter_mut().flat_map(|location| &mut location.line);
            lines.filter(|_| dice.below(4) == 0).for_each(|line| line.function_id = id);
        }
    }
}

fn mapping(message: &mut Profile, dice: &mut Dice) {
    let text = text(message, dice);
    let highest = message.mapping.iter().map(|it| it.id).max().unwrap_or(0);
    let Some(mapping) = dice.one(&mut message.mapping) else {
        return message.mapping.push(Mapping { id: 1, memory_limit: 0x1000, ..Mapping::default() });
    };
    match dice.below(8) {
        0 => mapping.memory_start = dice.address(),
        1 => mapping.memory_limit = dice.address(),
        2 => mapping.memory_limit = mapping.memory_start.wrapping_add(dice.address()),
        3 => mapping.file_offset = dice.address(),
        4 => mapping.filename = text,
        5 => mapping.build_id = text,
        6 => mapping.has_functions ^= true,
        _ => {
            let Some(id) = highest.checked_add(1) else { return };
            let twin = Mapping { id, ..*mapping };
            message.mapping.push(twin);
            message.location.iter_mut().filter(|_| dice.below(2) == 0).for_each(|it| it.mapping_id = id);
        }
    }
}

fn texts(message: &mut Profile, dice: &mut Dice) {
    let new = if dice.below(2) == 0 {
        dice.copy(&message.string_table)
    } else {
        dice.copy(&TEXTS.map(<[u8]>::to_vec))
    };
    let (Some(new), Some((_, table))) = (new, message.string_table.split_first_mut()) else { return };
    match dice.below(3) {
        0 => message.string_table.push(new),
        _ => drop(dice.one(table).map(|it| *it = new)),
    }
}

fn header(message: &mut Profile, dice: &mut Dice) {
    let (text, number) = (text(message, dice), dice.number());
    match dice.below(9) {
        0 => message.time_nanos = number,
        1 => message.duration_nanos = number,
        2 => message.period = number,
        3 => message.comment.push(text),
        4 => message.comment.truncate(dice.below(message.comment.len() + 1)),
        5 => message.default_sample_type = text,
        6 => message.doc_url = text,
        7 => message.drop_frames = text,
        _ => message.keep_frames = text,
    }
}
