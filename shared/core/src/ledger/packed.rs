//! Ids of a ledger as one text: about half the room of the ids themselves. A base has thousands of them, and whoever
//! reads or writes it has them in several forms at once.
//!
//! The text is base64 (RFC 4648 section 4, without padding) of, for each id in order: how many hex digits it has, 128 more if
//! its time is said in milliseconds; by how much its time is later than the one before's (the first's, than 0), in
//! nanoseconds, modulo 2^64, as a varint (LEB128, as in Protocol Buffers); and its hex digits from the left, two a byte, the
//! last by itself on the left of its byte if they are odd.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::key::{Id, Parts};

/// Set where the time of an id is said in milliseconds.
const MILLIS: u8 = 0x80;

/// Packs `ids`, of which each should be later than the one before: others cost more room.
pub(super) fn pack<'a>(ids: impl Iterator<Item = &'a Id>) -> String {
    let mut bytes = Vec::new();
    let mut before = 0;
    for id in ids {
        let Parts { time, nanos, chance, hexes } = id.parts();
        bytes.push(if nanos { hexes } else { hexes | MILLIS });
        varint(&mut bytes, time.wrapping_sub(before));
        bytes.extend_from_slice(&chance.to_be_bytes()[..room(hexes)]);
        before = time;
    }
    STANDARD_NO_PAD.encode(bytes)
}

/// The ids in `text`. `None` if it is no such text.
pub(super) fn unpack(text: &str) -> Option<Vec<Id>> {
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let (mut rest, mut before, mut ids) = (bytes.as_slice(), 0, Vec::new());
    while !rest.is_empty() {
        ids.push(next(&mut rest, &mut before)?);
    }
    Some(ids)
}

fn next(rest: &mut &[u8], before: &mut u64) -> Option<Id> {
    let (&kind, more) = rest.split_first()?;
    let (late, more) = read_varint(more)?;
    let hexes = kind & !MILLIS;
    let (digits, more) = more.split_at_checked(room(hexes))?;
    let mut chance = [0; 16];
    chance.get_mut(..digits.len())?.copy_from_slice(digits);
    let time = before.wrapping_add(late);
    let id = Id::of(Parts { time, nanos: kind & MILLIS == 0, chance: u128::from_be_bytes(chance), hexes })?;
    (*rest, *before) = (more, time);
    Some(id)
}

/// How many bytes so many hex digits take.
fn room(hexes: u8) -> usize {
    usize::from(hexes).div_ceil(2)
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// A varint, and what is behind it. `None` if it is cut short, or more than 64 bits.
fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (at, &byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        number |=
            part.checked_shl(7 * u32::try_from(at).ok()?).filter(|shifted| shifted >> (7 * at) == part)?;
        if byte < 0x80 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(texts in vec("([0-9]{13}|[0-9]{19})(-[0-9a-f]{8,32})?", 0..20), sort: bool) {
            let mut ids: Vec<Id> = texts.iter().filter_map(|text| Id::parse(text)).collect();
            prop_assert_eq!(ids.len(), texts.len());
            if sort {
                ids.sort();
            }
            prop_assert_eq!(unpack(&pack(ids.iter())), Some(ids));
        }

        #[test]
        fn what_is_no_such_text_gives_ids_or_nothing(bytes in vec(any::<u8>(), 0..80)) {
            for id in unpack(&STANDARD_NO_PAD.encode(&bytes)).into_iter().flatten() {
                prop_assert_eq!(Id::parse(&id.to_string()), Some(id));
            }
        }
    }

    #[test]
    fn the_form_stays_as_it_is() {
        let ids = ["1764000000000-0123456789abcdef0", "1764000000000000300", "1764000000000001000-00000001"];
        let ids = ids.map(|text| Id::parse(text).expect(text));
        let packed = pack(ids.iter());
        assert_eq!(packed, "kYCAqL72lL+9GAEjRWeJq83vAACsAgi8BQAAAAE");
        assert_eq!(unpack(&packed).as_deref(), Some(&ids[..]));
    }

    #[test]
    fn a_thousand_ids_take_half_their_room() {
        let id = |at: u64| {
            let chance = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            Id::parse(&format!("{:019}-{chance:016x}", 1_764_000_000_000_000_000 + at * 200_000_000))
        };
        let ids: Vec<Id> = (0..1_000).filter_map(id).collect();
        let plain: usize = ids.iter().map(|id| id.to_string().len()).sum();
        let packed = pack(ids.iter()).len();
        assert!(ids.len() == 1_000 && packed * 2 < plain + 200, "{packed} of {plain}");
    }

    #[test]
    fn what_is_cut_short_or_no_base64_is_no_such_text() {
        let ids = ["1764000000000000000-00000000", "1764000000000000001-ffffffff"];
        let ids = ids.map(|text| Id::parse(text).expect(text));
        let bytes = STANDARD_NO_PAD.decode(pack(ids.iter())).expect("base64");
        // But where an id ends.
        let first = STANDARD_NO_PAD.decode(pack(ids[..1].iter())).expect("base64").len();
        for cut in 0..bytes.len() {
            let whole = match cut {
                0 => Some(&[][..]),
                _ => Some(&ids[..1]).filter(|_| cut == first),
            };
            assert_eq!(unpack(&STANDARD_NO_PAD.encode(&bytes[..cut])).as_deref(), whole, "{cut}");
        }
        assert_eq!(unpack("no base64!"), None);
    }
}
