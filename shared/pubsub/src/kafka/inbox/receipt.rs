//! What a delivery is known by.

use std::fmt;

use super::Place;

/// A record of a partition, given out for the time `times`. The life is that of the partition in this consumer: what it
/// gave out in one, it does not know in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) place: Place,
    pub(super) life: u64,
    pub(super) offset: i64,
    pub(super) times: u32,
}

impl Receipt {
    /// `None`: it is none of ours.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let place = Place { topic: parts.next()?.parse().ok()?, partition: parts.next()?.parse().ok()? };
        let (life, offset) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { place, life, offset, times: parts.next()?.parse().ok()? })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place: Place { topic, partition }, life, offset, times } = self;
        write!(f, "{topic}/{partition}/{life}/{offset}/{times}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        let receipt =
            Receipt { place: Place { topic: 3, partition: 11 }, life: 7, offset: 1 << 40, times: 2 };
        assert_eq!(receipt.to_string(), "3/11/7/1099511627776/2");
        assert_eq!(Receipt::read(&receipt.to_string()), Some(receipt));
        for other in ["", "1/2/3", "a/b/c/d/e", "$JS.ACK.x"] {
            assert_eq!(Receipt::read(other), None, "{other}");
        }
    }
}
