//! Writes protobuf messages, as much of it as a profile needs: <https://protobuf.dev/programming-guides/encoding/>.

/// A message that grows.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
}

/// Bytes that every length takes in [`Message::text_up_to`], whether it needs them or not.
const WIDE: usize = 5;

impl Message {
    pub(super) fn number(&mut self, field: u8, value: u64) -> &mut Self {
        self.tag(field, 0).varint(value)
    }

    pub(super) fn text(&mut self, field: u8, text: &[u8]) -> &mut Self {
        self.tag(field, 2).varint(text.len() as u64);
        self.bytes.extend_from_slice(text);
        self
    }

    pub(super) fn message(&mut self, field: u8, content: impl FnOnce(&mut Self) -> &mut Self) -> &mut Self {
        let mut inner = Self::default();
        content(&mut inner);
        self.text(field, &inner.bytes)
    }

    /// Numbers in one field; no field when there are none.
    pub(super) fn packed(&mut self, field: u8, values: impl Iterator<Item = u64>) -> &mut Self {
        let mut inner = Self::default();
        values.for_each(|value| {
            inner.varint(value);
        });
        if inner.bytes.is_empty() { self } else { self.text(field, &inner.bytes) }
    }

    /// A text that ends where the message has `size` bytes, if there is room for one.
    pub(super) fn text_up_to(&mut self, field: u8, fill: u8, size: usize) -> bool {
        let Some(length) = size.checked_sub(self.bytes.len() + 1 + WIDE) else {
            return false;
        };
        self.tag(field, 2);
        // With a length of its shortest form some sizes could not be reached.
        for at in 0..WIDE {
            let more = if at + 1 < WIDE { 0x80 } else { 0 };
            self.bytes.push((length >> (7 * at) & 0x7f) as u8 | more);
        }
        self.bytes.resize(size, fill);
        true
    }

    fn tag(&mut self, field: u8, wire: u8) -> &mut Self {
        self.bytes.push(field << 3 | wire);
        self
    }

    fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes() {
        let mut message = Message::default();
        message.number(1, 300).text(2, b"ab").packed(3, [1, 200].into_iter()).packed(3, std::iter::empty());
        message.message(4, |it| it.number(1, 5));
        assert_eq!(message.bytes, [8, 0xac, 2, 0x12, 2, b'a', b'b', 0x1a, 3, 1, 0xc8, 1, 0x22, 2, 8, 5]);
    }

    #[test]
    fn a_text_of_the_size_that_is_left() {
        let mut message = Message::default();
        assert!(!message.text_up_to(6, b'x', 5));
        assert!(message.text_up_to(6, b'x', 8));
        assert_eq!(message.bytes, [0x32, 0x82, 0x80, 0x80, 0x80, 0, b'x', b'x']);
        let mut large = Message::default();
        assert!(large.text_up_to(6, b'x', 1000));
        assert_eq!((large.bytes.len(), &large.bytes[..4]), (1000, &[0x32, 0xe2, 0x87, 0x80][..]));
    }
}
