//! As much of Go's gob encoding as it takes to step over a map and find the bytes behind it. Source: the documentation
//! of Go's `encoding/gob`. A stream is messages, each behind its length; each begins with a type's number, negative for
//! a definition; a value that is no struct has a zero before it; numbers below 128 are a byte, larger ones the count of
//! their bytes, negated, and then those.

use std::ops::Range;

/// The number of `[]byte`, which gob knows without a definition: 5, written as a signed number.
const BYTES: u64 = 5 << 1;

/// Where the body is in what `Encode(map[string]string)` and `Encode([]byte)` wrote. `None` for anything else.
pub(super) fn body_behind_a_map(payload: &[u8]) -> Option<Range<usize>> {
    let mut rest = payload;
    let mut first = true;
    loop {
        let length = usize::try_from(number(&mut rest)?).ok()?;
        let mut message = rest.get(..length)?;
        rest = &rest[length..];
        let kind = number(&mut message)?;
        // The first one defines the type of the map: signed numbers have their sign in the last bit.
        if first && kind & 1 == 0 {
            return None;
        }
        first = false;
        if kind == BYTES {
            let zero = number(&mut message)?;
            let length = usize::try_from(number(&mut message)?).ok()?;
            let whole = zero == 0 && length == message.len() && rest.is_empty();
            return whole.then(|| payload.len() - length..payload.len());
        }
    }
}

/// Takes a number.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let (&first, behind) = rest.split_first()?;
    if first < 128 {
        *rest = behind;
        return Some(u64::from(first));
    }
    let count = usize::from(first.wrapping_neg());
    if count > 8 {
        return None;
    }
    let bytes = behind.get(..count)?;
    *rest = &behind[count..];
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go 1.26 writes for a map of this key and value, and then for this body.
    fn encoded(body: &[u8]) -> Vec<u8> {
        let map = b"\x0d\x7f\x04\x01\x02\xff\x80\x00\x01\x0c\x01\x0c\x00\x00\x08\xff\x80\x00\x01\x01k\x01v";
        let length = |n: usize| match n {
            0..128 => vec![n as u8],
            _ => [&[0xfe][..], &(n as u16).to_be_bytes()].concat(),
        };
        let value = [&[0x0a, 0x00][..], &length(body.len()), body].concat();
        [&map[..], &length(value.len()), &value].concat()
    }

    #[test]
    fn what_go_writes_is_found() {
        // Recorded whole, once.
        let recorded = b"\x0d\x7f\x04\x01\x02\xff\x80\x00\x01\x0c\x01\x0c\x00\x00\x1a\xff\x80\x00\x02\x0ccontent-type\x04json\x01a\x01b\x0d\x0a\x00\x0a{\"id\":\"1\"}";
        assert_eq!(&recorded[body_behind_a_map(recorded).expect("gob")], br#"{"id":"1"}"#);
        for size in [0, 1, 127, 128, 300, 60_000] {
            let body = vec![b'x'; size];
            let encoded = encoded(&body);
            assert_eq!(&encoded[body_behind_a_map(&encoded).expect("gob")], body, "{size}");
        }
    }

    #[test]
    fn what_is_anything_else_is_left_alone() {
        let whole = encoded(b"body");
        for cut in 0..whole.len() {
            assert_eq!(body_behind_a_map(&whole[..cut]), None, "cut at {cut}");
        }
        let longer = [&whole[..], b"x"].concat();
        for other in
            [&b"{\"id\":\"1\"}"[..], b"rubbish", b"\r\n{}", b"\x02\x0a\x00", b"\x80", b"\xf0", &longer]
        {
            assert_eq!(body_behind_a_map(other), None, "{other:?}");
        }
    }
}
