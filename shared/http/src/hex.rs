//! Bytes as hex digits, two a byte, and back.

/// `bytes` in lower-case digits.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `N` bytes that `digits` are, in either case; `None` for what is anything else.
pub(crate) fn decode<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digits: Option<Vec<u8>> =
        digits.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len() == 2 * N)?;
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_and_nothing_else() {
        assert_eq!(encode(&[0, 0x1f, 0xa0, 0xff]), "001fa0ff");
        assert_eq!(decode("001fA0Ff"), Some([0, 0x1f, 0xa0, 0xff]));
        for wrong in ["", "001fa0f", "001fa0fff", "001fa0ff00", "001fa0fg", "001fa0f ", "001fa0f\u{ff11}"] {
            assert_eq!(decode::<4>(wrong), None, "{wrong}");
        }
    }
}
