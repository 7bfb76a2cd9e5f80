//! Messages onto the wire: into a buffer of about their size, or into nothing, to know that size.

/// A message that can be written, and thereby also measured.
pub(crate) trait Message {
    fn write(&self, out: &mut impl Output);
}

/// Where a message goes: into bytes, or nowhere, but counted.
pub(crate) trait Output: Sized {
    fn varint(&mut self, value: u64);
    fn raw(&mut self, bytes: &[u8]);
    /// The codes at these places.
    fn codes(&mut self, codes: &Codes, places: &[u32]);

    /// Promises that what is written next takes at most so many bytes. Everything is announced that way.
    fn room(&mut self, most: usize);

    /// What `write` writes, its length in front.
    fn enclosed(&mut self, number: u32, write: impl FnOnce(&mut Self));

    /// A message inside this one.
    #[inline(always)]
    fn message(&mut self, number: u32, message: &impl Message) {
        self.enclosed(number, |out| message.write(out));
    }

    #[inline(always)]
    fn uint(&mut self, number: u32, value: u64) {
        self.varint(u64::from(number) << 3);
        self.varint(value);
    }

    /// Writes nothing for 0, protobuf's default.
    #[inline(always)]
    fn uint_or_nothing(&mut self, number: u32, value: u64) {
        if value != 0 {
            self.uint(number, value);
        }
    }

    /// google/pprof packs repeated numbers only when there are more than two.
    #[inline(always)]
    fn uints(&mut self, number: u32, values: impl ExactSizeIterator<Item = u64>) {
        if values.len() > 2 {
            self.enclosed(number, |out| values.for_each(|value| out.varint(value)));
        } else {
            values.for_each(|value| self.uint(number, value));
        }
    }

    /// As [`Output::uints`], of numbers that were encoded before.
    #[inline(always)]
    fn uints_of(&mut self, number: u32, codes: &Codes, places: &[u32]) {
        if places.len() > 2 {
            self.enclosed(number, |out| out.codes(codes, places));
        } else {
            for place in places {
                self.varint(u64::from(number) << 3);
                self.codes(codes, std::slice::from_ref(place));
            }
        }
    }

    #[inline(always)]
    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.length(number, bytes.len());
        self.raw(bytes);
    }

    #[inline(always)]
    fn length(&mut self, number: u32, length: usize) {
        self.varint(u64::from(number) << 3 | 2);
        self.varint(length as u64);
    }
}

/// Numbers as varints, made once and written often: up to three bytes, and in the fourth how many.
pub(crate) struct Codes(Vec<u32>);

impl Codes {
    /// `None` when a number takes more than three bytes.
    pub(crate) fn of(numbers: impl Iterator<Item = u64>) -> Option<Self> {
        let code = |number: u64| {
            let number = u32::try_from(number).ok().filter(|&number| number < 1 << 21)?;
            let [low, middle, high] = [number & 0x7f, number & 0x3f80, number & 0x1f_c000];
            Some(match number {
                0..0x80 => 1 << 24 | low,
                0x80..0x4000 => 2 << 24 | middle << 1 | 0x80 | low,
                _ => 3 << 24 | high << 2 | 0x8000 | middle << 1 | 0x80 | low,
            })
        };
        numbers.map(code).collect::<Option<_>>().map(Self)
    }

    /// How many bytes the codes at these places take.
    #[inline(always)]
    pub(crate) fn size(&self, places: &[u32]) -> usize {
        places.iter().map(|&place| (self.0[place as usize] >> 24) as usize).sum()
    }
}

/// The most bytes that a tag and a number, or a tag and a length, take. All field numbers are below 16.
pub(crate) const NUMBER: usize = 1 + 10;

/// The bytes of `message`, which are about `size`: more make it grow, and too much costs address space alone.
pub(crate) fn write(message: &impl Message, size: usize) -> Vec<u8> {
    let mut out = Bytes { bytes: vec![0; size], at: 0 };
    message.write(&mut out);
    out.bytes.truncate(out.at);
    out.bytes
}

/// How many bytes a number takes.
#[inline(always)]
pub(crate) fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// How many bytes a message takes.
#[inline(always)]
pub(crate) fn measure(message: &impl Message) -> usize {
    let mut size = Size(0);
    message.write(&mut size);
    size.0
}

/// How much may be written past the end, for what is written in one go.
const ROOM: usize = 8;

/// A buffer that was made large enough.
struct Bytes {
    bytes: Vec<u8>,
    at: usize,
}

impl Output for Bytes {
    #[inline(always)]
    fn room(&mut self, most: usize) {
        if self.bytes.len() - self.at < most + ROOM {
            self.grow(most + ROOM);
        }
    }

    #[inline(always)]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes[self.at] = value as u8 | 0x80;
            self.at += 1;
            value >>= 7;
        }
        self.bytes[self.at] = value as u8;
        self.at += 1;
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.bytes[self.at..][..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    #[inline(always)]
    fn codes(&mut self, codes: &Codes, places: &[u32]) {
        let mut at = self.at;
        for &place in places {
            let code = codes.0[place as usize];
            self.bytes[at..at + 4].copy_from_slice(&code.to_le_bytes());
            at += (code >> 24) as usize;
        }
        self.at = at;
    }

    /// The length is known last. It mostly takes one byte; where it takes more, what was written moves.
    #[inline(always)]
    fn enclosed(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        self.varint(u64::from(number) << 3 | 2);
        let start = self.at + 1;
        self.at = start;
        write(self);
        match self.at - start {
            length @ 0..0x80 => self.bytes[start - 1] = length as u8,
            _ => self.widen(start),
        }
    }
}

impl Bytes {
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        self.bytes.resize(self.bytes.len() + more.max(self.bytes.len() / 4), 0);
    }

    /// Puts the length of what stands from `start` on before it.
    #[inline(never)]
    fn widen(&mut self, start: usize) {
        let length = self.at - start;
        let moved = start - 1 + varint_len(length as u64);
        self.bytes.copy_within(start..self.at, moved);
        self.at = start - 1;
        self.varint(length as u64);
        self.at = moved + length;
    }
}

struct Size(usize);

impl Output for Size {
    fn room(&mut self, _most: usize) {}

    #[inline(always)]
    fn varint(&mut self, value: u64) {
        self.0 += varint_len(value);
    }

    #[inline(always)]
    fn raw(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    #[inline(always)]
    fn codes(&mut self, codes: &Codes, places: &[u32]) {
        self.0 += codes.size(places);
    }

    #[inline(always)]
    fn enclosed(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        let mut size = Self(0);
        write(&mut size);
        self.length(number, size.0);
        self.0 += size.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Cursor;

    /// In a buffer that must grow: every test announces what it writes.
    fn write(message: &impl Message) -> Vec<u8> {
        super::write(message, 0)
    }

    struct Each<F: Fn(&mut dyn FnMut(u64))>(F);

    impl<F: Fn(&mut dyn FnMut(u64))> Message for Each<F> {
        fn write(&self, out: &mut impl Output) {
            out.room(10);
            self.0(&mut |value| out.varint(value));
        }
    }

    struct Repeated<'a>(&'a [u64]);

    impl Message for Repeated<'_> {
        fn write(&self, out: &mut impl Output) {
            out.room((1 + self.0.len()) * NUMBER);
            out.uints(1, self.0.iter().copied());
        }
    }

    struct Coded<'a>(&'a Codes, &'a [u32]);

    impl Message for Coded<'_> {
        fn write(&self, out: &mut impl Output) {
            out.room((1 + self.1.len()) * NUMBER);
            out.uints_of(1, self.0, self.1);
        }
    }

    #[test]
    fn varints_of_every_length_come_back() {
        for bits in 0..64 {
            for value in [1 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let message = Each(|each: &mut dyn FnMut(u64)| each(value));
                let out = write(&message);
                assert_eq!(measure(&message), out.len(), "{value}");
                // Alone, and with something after it to be read along.
                for more in [&[][..], &[0xff; 8]] {
                    let raw = [&out[..], more].concat();
                    let mut cursor = Cursor::within(&raw, 0, out.len());
                    assert_eq!(cursor.varint().unwrap(), value);
                    assert!(cursor.is_empty());
                }
            }
        }
    }

    #[test]
    fn numbers_are_packed_from_the_third_on() {
        assert_eq!(write(&Repeated(&[1, 2])), [8, 1, 8, 2]);
        assert_eq!(write(&Repeated(&[1, 2, 300])), [10, 4, 1, 2, 0xac, 2]);
    }

    #[test]
    fn lengths_of_every_size_are_put_in_front() {
        for count in [0, 3, 0x7f, 0x80, 0x3fff, 0x4000] {
            let ones = vec![1; count];
            let out = write(&Repeated(&ones));
            assert_eq!(measure(&Repeated(&ones)), out.len(), "{count}");
            let mut cursor = Cursor::new(&out);
            let found =
                cursor.field().unwrap().map_or(0, |field| field.content("ones").unwrap().bytes().len());
            assert_eq!((found, cursor.is_empty()), (count, true));
        }
    }

    #[test]
    fn codes_are_the_numbers_they_stand_for() {
        let numbers: Vec<u64> =
            (0..21).flat_map(|bits| [1 << bits, (2 << bits) - 1]).chain([0, 300, 70_000]).collect();
        let codes = Codes::of(numbers.iter().copied()).unwrap();
        for places in [&[][..], &[4], &[40, 0], &(0..numbers.len() as u32).collect::<Vec<_>>()] {
            let expected: Vec<u64> = places.iter().map(|&place| numbers[place as usize]).collect();
            let coded = write(&Coded(&codes, places));
            assert_eq!(coded, write(&Repeated(&expected)));
            assert_eq!(measure(&Coded(&codes, places)), coded.len());
        }
        assert!(Codes::of([1, 1 << 21].into_iter()).is_none());
    }
}
