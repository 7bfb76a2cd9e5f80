//! Re-numbering: from a source's mappings, functions and locations to the merged profile's. Each entry
//! is looked up once per source by position; equality across sources is that of google/pprof's keys.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use crate::index::Index;
use crate::profile::{Function, Line, Location, Mapping, Profile, Span, index};
use crate::strings::{Str, Strings};

/// Mapping sizes are compared rounded up to this, so that small differences do not tell builds apart.
const PAGE: u64 = 0x1000;

const UNMAPPED: u32 = u32::MAX;

/// What the merged profile has so far, found by content.
#[derive(Default)]
pub(super) struct Remap {
    mappings: Index,
    functions: Index,
    locations: Index,
    hasher: RandomState,
}

/// Where the entries of one source went. `UNMAPPED` until asked for: only what is used is taken over.
pub(super) struct Memo {
    strings: Vec<u32>,
    mappings: Vec<u32>,
    functions: Vec<u32>,
    pub(super) locations: Vec<u32>,
}

impl Memo {
    /// Where a location went, if it is used.
    pub(super) fn location(&self, at: u32) -> Option<u32> {
        self.locations.get(at as usize).copied().filter(|&at| at != UNMAPPED)
    }
}

impl Remap {
    /// Makes room for the tables of the largest of these profiles.
    pub(super) fn reserve(&mut self, profiles: &[&Profile], merged: &mut Profile) {
        let room = |count: fn(&Profile) -> usize| profiles.iter().map(|&it| count(it)).max().unwrap_or(0);
        let locations = room(|profile| profile.locations.len());
        self.locations.reserve(locations);
        merged.locations.reserve(locations);
        merged.lines.reserve(room(|profile| profile.lines.len()));
    }

    /// Makes room for the tables of a profile that is taken as [`Remap::know`] does.
    pub(super) fn reserve_for(&mut self, merged: &Profile) {
        self.locations.reserve(merged.locations.len());
        self.functions.reserve(merged.functions.len());
        self.mappings.reserve(merged.mappings.len());
    }

    /// Takes the entries of a profile as those that the merged one has so far. Whether no two were equal:
    /// if any were, this is of no use any more.
    pub(super) fn know(&mut self, merged: &Profile) -> bool {
        self.reserve_for(merged);
        let Self { mappings, functions, locations, hasher } = self;
        let new = |place: u32, at: usize| place as usize == at;
        let known_mapping = |(at, mapping): (usize, &Mapping)| {
            let key = mapping_key(mapping);
            let same = |other: u32| mapping_key(&merged.mappings[other as usize]) == key;
            new(mappings.find_or_add(hasher.hash_one(key), index(at), same), at)
        };
        let known_function = |(at, function): (usize, &Function)| {
            let key = function_key(function);
            let same = |other: u32| function_key(&merged.functions[other as usize]) == key;
            new(functions.find_or_add(hasher.hash_one(key), index(at), same), at)
        };
        let known_location = |(at, location): (usize, &Location)| {
            let hash = hash_location(hasher, location, merged.lines_of(location));
            let same = |other: u32| same_location(location, &merged.locations[other as usize], &merged.lines);
            new(locations.find_or_add(hash, index(at), same), at)
        };
        merged.mappings.iter().enumerate().all(known_mapping)
            && merged.functions.iter().enumerate().all(known_function)
            && merged.locations.iter().enumerate().all(known_location)
    }

    pub(super) fn source(&mut self, source: &Profile, merged: &mut Profile) -> Memo {
        let unmapped = |count| vec![UNMAPPED; count];
        let mut memo = Memo {
            strings: unmapped(source.strings.len()),
            mappings: unmapped(source.mappings.len()),
            functions: unmapped(source.functions.len()),
            locations: unmapped(source.locations.len()),
        };
        if merged.mappings.is_empty() && !source.mappings.is_empty() {
            // The first mapping stands for the main binary: it stays first, used or not.
            self.mapping(0, source, &mut memo, merged);
        }
        memo
    }

    /// Takes over what the samples of `source` use, in the order in which they use it.
    pub(super) fn used(&mut self, source: &Profile, memo: &mut Memo, merged: &mut Profile) {
        for sample in (0..source.samples.len()).filter(|&sample| !source.samples.is_zero(sample)) {
            for &frame in source.samples.stack(sample) {
                if memo.locations[frame as usize] == UNMAPPED {
                    memo.locations[frame as usize] = self.location(frame, source, memo, merged);
                }
            }
        }
    }

    fn location(&mut self, at: u32, source: &Profile, memo: &mut Memo, merged: &mut Profile) -> u32 {
        let from = &source.locations[at as usize];
        let mapping = from.mapping.map(|at| self.mapping(at, source, memo, merged));
        // Address space layouts differ: addresses move along with their mapping.
        let address = match (from.mapping, mapping) {
            (Some(old), Some(new)) => {
                let (old, new) = (&source.mappings[old as usize], &merged.mappings[new as usize]);
                from.address.wrapping_add(new.start.wrapping_sub(old.start))
            }
            _ => from.address,
        };
        let start = merged.lines.len();
        for line in source.lines_of(from) {
            let function = self.function(line.function, source, memo, merged);
            merged.lines.push(Line { function, ..*line });
        }
        let lines = Span::since(start, merged.lines.len());
        let id = merged.locations.len() as u64 + 1;
        self.place_location(Location { id, mapping, address, lines, folded: from.folded }, merged)
    }

    /// The location equal to this one, whose lines are the last of the arena, or this one as a new entry.
    fn place_location(&mut self, location: Location, merged: &mut Profile) -> u32 {
        let Profile { locations, lines, .. } = merged;
        let hash = hash_location(&self.hasher, &location, &lines[location.lines.range()]);
        let new = index(locations.len());
        let same = |at: u32| same_location(&location, &locations[at as usize], lines);
        let at = self.locations.find_or_add(hash, new, same);
        if at == new {
            locations.push(location);
        } else {
            lines.truncate(location.lines.start as usize);
        }
        at
    }

    #[inline(always)]
    fn mapping(&mut self, at: u32, source: &Profile, memo: &mut Memo, merged: &mut Profile) -> u32 {
        let known = memo.mappings[at as usize];
        if known != UNMAPPED {
            return known;
        }
        let from = &source.mappings[at as usize];
        let [file, build_id] =
            [from.file, from.build_id].map(|text| string(text, source, memo, &mut merged.strings));
        let mapping = Mapping { id: merged.mappings.len() as u64 + 1, file, build_id, ..*from };
        let key = mapping_key(&mapping);
        let Profile { mappings, .. } = merged;
        let new = index(mappings.len());
        let same = |at: u32| mapping_key(&mappings[at as usize]) == key;
        let placed = self.mappings.find_or_add(self.hasher.hash_one(key), new, same);
        if placed == new {
            mappings.push(mapping);
        }
        memo.mappings[at as usize] = placed;
        placed
    }

    #[inline(always)]
    fn function(&mut self, at: u32, source: &Profile, memo: &mut Memo, merged: &mut Profile) -> u32 {
        let known = memo.functions[at as usize];
        if known != UNMAPPED {
            return known;
        }
        let from = &source.functions[at as usize];
        let [name, system_name, filename] = [from.name, from.system_name, from.filename]
            .map(|text| string(text, source, memo, &mut merged.strings));
        let id = merged.functions.len() as u64 + 1;
        let function = Function { id, name, system_name, filename, start_line: from.start_line };
        let key = function_key(&function);
        let Profile { functions, .. } = merged;
        let new = index(functions.len());
        let same = |at: u32| function_key(&functions[at as usize]) == key;
        let placed = self.functions.find_or_add(self.hasher.hash_one(key), new, same);
        if placed == new {
            functions.push(function);
        }
        memo.functions[at as usize] = placed;
        placed
    }
}

/// Takes a source's text over into the merged profile's table.
pub(super) fn string(text: Str, source: &Profile, memo: &mut Memo, strings: &mut Strings) -> Str {
    let known = &mut memo.strings[text.at()];
    if *known == UNMAPPED {
        *known = index(strings.intern(source.strings.bytes(text)).at());
    }
    Str::new(*known)
}

/// Rounded size, offset, and what names the file. Not the start: it differs from run to run.
fn mapping_key(mapping: &Mapping) -> (u64, u64, Str) {
    let size = mapping.limit.wrapping_sub(mapping.start).wrapping_add(PAGE - 1);
    let name = if mapping.build_id == Str::EMPTY { mapping.file } else { mapping.build_id };
    (size - size % PAGE, mapping.offset, name)
}

fn function_key(function: &Function) -> (i64, Str, Str, Str) {
    (function.start_line, function.name, function.system_name, function.filename)
}

/// Whether google/pprof's key is the same for two locations of a profile of these lines.
fn same_location(a: &Location, b: &Location, lines: &[Line]) -> bool {
    let plain = |location: &Location| (location.address, location.mapping, location.folded);
    plain(a) == plain(b) && same_lines(&lines[a.lines.range()], &lines[b.lines.range()])
}

/// Whether two locations have the same lines as far as google/pprof's key tells: of the columns it holds
/// only the last line's, because each line's function overwrites the column before it (merge.go,
/// `Location.key`: three slots a line are reserved, two used). Go's own profiles have no columns.
fn same_lines(a: &[Line], b: &[Line]) -> bool {
    let column = |lines: &[Line]| lines.last().map(|line| line.column);
    column(a) == column(b)
        && a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| (a.function, a.line) == (b.function, b.line))
}

fn hash_location(hasher: &RandomState, location: &Location, lines: &[Line]) -> u64 {
    let mut hasher = hasher.build_hasher();
    let mapping = u128::from(location.mapping.unwrap_or(UNMAPPED));
    hasher.write_u128(u128::from(location.address) | mapping << 64 | u128::from(location.folded) << 96);
    for line in lines {
        hasher.write_u128(u128::from(line.line.cast_unsigned()) | u128::from(line.function) << 64);
    }
    // All that tells locations apart must be in here, or somebody makes a million that only differ in it.
    hasher.write_u64(lines.last().map_or(0, |line| line.column.cast_unsigned()));
    hasher.finish()
}
