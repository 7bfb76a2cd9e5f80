//! The gzip around a profile: told by its first bytes, inflated up to a limit in memory bounded by it,
//! deflated. Several members in a row are one stream, and what follows them must be a member too, as
//! Go's gzip reader has it.

use std::hint::black_box;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use libdeflater::{CompressionLvl, Compressor, Decompressor};
use memchr::memmem;

use crate::cores::{Core, at_once};
use crate::error::{Error, Fault};

/// libdeflate's: README.md has the curve that it was chosen by.
const LEVEL: i32 = 1;
/// zlib's.
const LEVEL_OF_STREAMS: u32 = 3;

/// No profile shrinks more than this by far: what announces more may be lying.
const USUALLY_SHRUNK: usize = 32;
/// From how many bytes on memory is new each time, of glibc's allocator at least; and the smallest pages that systems have.
const LARGE: usize = 32 << 20;
const PAGE: usize = 4 << 10;

/// Deflate cannot shrink data more than this (RFC 1951: 258 bytes in 2 bits).
const MOST_SHRUNK: u64 = 1032;

/// The length of a member's header without its optional parts.
const HEADER: usize = 10;

/// Whether `bytes` start as gzip does.
#[must_use]
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Inflates up to `limit` bytes, holding no more than that at any time.
///
/// # Errors
/// `Malformed` for data that is cut short or corrupt, `Limit` when it inflates to more than `limit`:
/// then nothing past it is inflated.
pub fn inflate(bytes: &[u8], limit: u64) -> Result<Vec<u8>, Error> {
    one_member(bytes, limit).map_or_else(|| members(bytes, limit), Ok)
}

/// Compresses `raw` as one gzip member, without time or name: equal bytes give equal bytes.
#[must_use]
#[expect(clippy::expect_used, reason = "the level is one, and the buffer as large as it can get")]
pub fn deflate(raw: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(LEVEL).expect("a level of libdeflate"));
    let mut zipped = vec![0; compressor.gzip_compress_bound(raw.len())];
    let size = compressor.gzip_compress(raw, &mut zipped).expect("the bound is one");
    zipped.truncate(size);
    zipped.shrink_to_fit();
    zipped
}

/// Compresses all of `input` into `output` as one gzip member, in constant memory, where [`deflate`] holds both whole.
///
/// # Errors
/// Those of `input` and `output`.
pub fn deflate_all(mut input: impl Read, output: impl Write) -> io::Result<()> {
    let mut encoder = GzEncoder::new(output, Compression::new(LEVEL_OF_STREAMS));
    io::copy(&mut input, &mut encoder)?;
    encoder.finish()?.flush()
}

/// The way of almost every profile: one member whose trailer tells the truth, inflated in one go by
/// libdeflate. `None` for all else, whatever is the matter with it.
///
/// libdeflate does not say where a member ends, and more may follow. But it has checked that the member
/// ends with its size: so if these four bytes stand nowhere but at the end of `bytes`, it ends there.
fn one_member(bytes: &[u8], limit: u64) -> Option<Vec<u8>> {
    const HEADER_CRC_OR_UNKNOWN: u8 = 0b1110_0010;
    let size = usize::try_from(announced(bytes, limit)).ok()?;
    let (_, but_last) = bytes.split_last()?;
    let (flags, content) = (*bytes.get(3)?, but_last.get(HEADER..)?);
    if flags & HEADER_CRC_OR_UNKNOWN != 0 || memmem::find(content, bytes.last_chunk::<4>()?).is_some() {
        return None;
    }
    let mut raw = zeroes(size, bytes.len());
    let inflated = Decompressor::new().gzip_decompress(bytes, &mut raw).ok()?;
    (inflated == size).then_some(raw)
}

/// Memory for what so many bytes announce. What is large comes from the system page by page, when it is first written to, for which
/// two threads take half as long.
fn zeroes(size: usize, packed: usize) -> Vec<u8> {
    let mut raw = vec![0; size];
    let (first, second) = raw.split_at_mut(size / 2);
    let write = |part: &mut [u8]| part.iter_mut().step_by(PAGE).for_each(|byte| *byte = black_box(0));
    if size >= LARGE
        && size / USUALLY_SHRUNK <= packed
        && let Some(core) = Core::take()
    {
        at_once(Some(core), || write(first), || write(second));
    }
    raw
}

/// Any number of members, and the words for what is wrong.
fn members(bytes: &[u8], limit: u64) -> Result<Vec<u8>, Error> {
    let mut decoder = MultiGzDecoder::new(bytes);
    let mut raw = read(&mut decoder, announced(bytes, limit))?;
    let more = count(&mut decoder, raw.len() as u64, limit)?;
    if more > 0 {
        // More than was announced: several members, or a false trailer. Its size is known by now, so
        // inflating again costs time where growing would cost twice the memory.
        let size = raw.len() as u64 + more;
        drop(raw);
        raw = read(&mut MultiGzDecoder::new(bytes), size)?;
    }
    Ok(raw)
}

/// What reading gzip data can go wrong by.
pub(crate) fn fault(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::GzipTruncated.into(),
        _ if error.raw_os_error().is_some() => Fault::Unreadable(error).into(),
        _ => Fault::GzipCorrupt(error).into(),
    }
}

/// The size in the last member's trailer (RFC 1952: ISIZE), where it can be true.
fn announced(bytes: &[u8], limit: u64) -> u64 {
    let size = bytes.last_chunk().map_or(0, |trailer| u64::from(u32::from_le_bytes(*trailer)));
    let possible = limit.min((bytes.len() as u64).saturating_mul(MOST_SHRUNK));
    if size <= possible { size } else { 0 }
}

/// Reads up to `size` bytes into memory for just these.
fn read(decoder: &mut MultiGzDecoder<&[u8]>, size: u64) -> Result<Vec<u8>, Error> {
    let mut raw = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    decoder.take(size).read_to_end(&mut raw).map_err(fault)?;
    Ok(raw)
}

/// How many bytes are left to read after `done`, counted and dropped.
fn count(decoder: &mut MultiGzDecoder<&[u8]>, done: u64, limit: u64) -> Result<u64, Error> {
    let mut scratch = [0; 16 << 10];
    let mut more = 0;
    loop {
        match decoder.read(&mut scratch).map_err(fault)? {
            0 => return Ok(more),
            n => more += n as u64,
        }
        if done + more > limit {
            return Err(Fault::TooLarge { limit }.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::cores::on_cores;
    use crate::example::Random;

    fn refusal(bytes: &[u8], limit: u64) -> (ErrorKind, String) {
        let error = inflate(bytes, limit).unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn what_is_deflated_comes_back() {
        for raw in [&b""[..], b"x", &[7; 100_000]] {
            let zipped = deflate(raw);
            assert!(is_gzip(&zipped));
            assert_eq!(inflate(&zipped, raw.len() as u64).unwrap(), raw);
        }
    }

    #[test]
    fn what_is_deflated_as_a_stream_comes_back() {
        for raw in [&b""[..], b"x", &[7; 100_000]] {
            let mut zipped = Vec::new();
            deflate_all(raw, &mut zipped).unwrap();
            assert_eq!(inflate(&zipped, raw.len() as u64).unwrap(), raw);
        }
    }

    #[test]
    fn equal_bytes_give_equal_bytes() {
        assert_eq!(deflate(b"pprof"), deflate(b"pprof"));
    }

    #[test]
    fn members_in_a_row_are_one_stream() {
        let both = [deflate(b"ab"), deflate(b""), deflate(&[b'c'; 5000])].concat();
        assert_eq!(inflate(&both, 5002).unwrap(), [&b"ab"[..], &[b'c'; 5000]].concat());
        assert_eq!(refusal(&both, 5001).0, ErrorKind::Limit);
    }

    #[test]
    fn a_false_announcement_is_not_believed() {
        let mut zipped = deflate(&[b'c'; 5000]);
        let trailer = zipped.len() - 4;
        for size in [0, 1, 4999, 5001, u32::MAX] {
            zipped[trailer..].copy_from_slice(&size.to_le_bytes());
            let (kind, text) = refusal(&zipped, 1 << 20);
            assert_eq!(kind, ErrorKind::Malformed, "{size}");
            assert!(text.starts_with("the profile's gzip data is corrupt: "), "{text}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let zipped = deflate(b"some text that is long enough to be a real member");
        for end in 2..zipped.len() {
            let (kind, text) = refusal(&zipped[..end], 1 << 20);
            assert_eq!(kind, ErrorKind::Malformed, "{end}");
            assert_eq!(text, "the profile's gzip data is cut short: it was not sent or stored to its end");
        }
    }

    #[test]
    fn what_follows_must_be_a_member() {
        let member = deflate(b"ab");
        let trailer = &member[member.len() - 8..];
        for garbage in [&[0; 20][..], b"x", trailer, &trailer[4..], &[b"something", trailer].concat()] {
            let trailing = [&member, garbage].concat();
            assert_eq!(refusal(&trailing, 100).0, ErrorKind::Malformed, "{garbage:?}");
        }
    }

    #[test]
    fn a_member_is_not_taken_for_the_whole() {
        // In both the last trailer fits the first member, or could.
        let [ab, cd] = [&b"ab"[..], b"cd"].map(deflate);
        assert_eq!(inflate(&[&ab[..], &ab].concat(), 100).unwrap(), b"abab");
        assert_eq!(inflate(&[&ab[..], &cd].concat(), 100).unwrap(), b"abcd");
    }

    #[test]
    fn what_is_large_is_inflated_alike_on_two_cores() {
        let random = &mut Random(1);
        let noise: Vec<u8> = (0..4096).map(|_| random.below(256) as u8).collect();
        let raw: Vec<u8> = (0..LARGE + 5).map(|at| noise[at % 4096] & (at >> 16) as u8).collect();
        let zipped = deflate(&raw);
        assert!(raw.len() / USUALLY_SHRUNK <= zipped.len(), "it is no bomb: {}", zipped.len());
        let inflated = on_cores(2, || one_member(&zipped, raw.len() as u64));
        assert!(inflated.as_ref() == Some(&raw) && one_member(&zipped, raw.len() as u64) == inflated);
    }

    #[test]
    fn one_member_is_inflated_in_one_go() {
        let raw: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
        let mut zipped = deflate(&raw);
        assert_eq!(one_member(&zipped, raw.len() as u64).as_ref(), Some(&raw));
        assert_eq!(one_member(&zipped, raw.len() as u64 - 1), None);
        let middle = zipped.len() / 2;
        zipped[middle] ^= 1;
        assert_eq!(one_member(&zipped, raw.len() as u64), None);
        assert_eq!(refusal(&zipped, raw.len() as u64).0, ErrorKind::Malformed);
    }

    #[test]
    fn too_little_for_a_member_is_cut_short() {
        for bytes in [&b""[..], &[0x1f], &[0x1f, 0x8b], &[0x1f, 0x8b, 8, 0]] {
            assert!(one_member(bytes, 100).is_none(), "{bytes:?}");
            let _ = inflate(bytes, 100);
        }
    }
}
