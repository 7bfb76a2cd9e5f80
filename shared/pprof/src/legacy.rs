//! The formats from before the protobuf one, recognised so that they can be refused by name. google/pprof
//! still converts them (profile/legacy_profile.go, legacy_java_profile.go); the Go compiler never read
//! them, and they lack the start lines that PGO needs. Two files that are easily taken for a profile, an
//! execution trace and a preprofile, are named too.

use crate::error::{Error, ErrorKind, Fault};

const CPU: &str = "take it from /debug/pprof/profile, with a Go version that is not from before 2017";
const TEXT: &str = "take a CPU profile from /debug/pprof/profile, without ?debug=";
const CPP: &str = "PGO needs a CPU profile of a Go program, from /debug/pprof/profile";

/// What `raw` is when it is in one of the old formats, as a name for messages: "a heap profile in the old
/// text format". Looks at the first lines only.
#[must_use]
pub fn recognise(raw: &[u8]) -> Option<&'static str> {
    format(raw).map(|(name, _)| name)
}

/// The error for a profile that could not be decoded: its format's name, where that is the reason.
pub(crate) fn name(raw: &[u8], error: Error) -> Error {
    if error.kind() != ErrorKind::Malformed {
        return error;
    }
    match format(raw) {
        Some((what, advice)) => Fault::Legacy { what, advice }.into(),
        None => error,
    }
}

fn format(raw: &[u8]) -> Option<(&'static str, &'static str)> {
    binary(raw).or_else(|| text(raw))
}

/// `profilez`: five words of 32 or 64 bits in either byte order, 0, 3, 0 or 1 (Java), a period, 0.
fn binary(raw: &[u8]) -> Option<(&'static str, &'static str)> {
    let words32 = |read: fn([u8; 4]) -> u32| words::<4, _>(raw, |bytes| u64::from(read(bytes)));
    let words64 = |read: fn([u8; 8]) -> u64| words::<8, _>(raw, read);
    let headers = [
        words32(u32::from_le_bytes),
        words32(u32::from_be_bytes),
        words64(u64::from_le_bytes),
        words64(u64::from_be_bytes),
    ];
    headers.into_iter().flatten().find_map(|header| match header {
        [0, 3, 0, period, 0] if period > 0 => {
            Some(("the profile is a CPU profile in the old binary format (profilez)", CPU))
        }
        [0, 3, 1, period, 0] if period > 0 => {
            Some(("the profile is a Java CPU profile in the old binary format (profilez)", CPP))
        }
        _ => None,
    })
}

fn words<const N: usize, F: Fn([u8; N]) -> u64>(raw: &[u8], read: F) -> Option<[u64; 5]> {
    let mut header = [0; 5];
    let mut rest = raw;
    for word in &mut header {
        let (bytes, after) = rest.split_first_chunk::<N>()?;
        *word = read(*bytes);
        rest = after;
    }
    Some(header)
}

fn text(raw: &[u8]) -> Option<(&'static str, &'static str)> {
    let first = line(raw);
    if first.starts_with(b"go 1.") && contains(first, b" trace\0") {
        return Some((
            "this is a Go execution trace",
            "take a CPU profile from /debug/pprof/profile instead",
        ));
    }
    if first == b"GO PREPROFILE V1" {
        return Some(("this is the output of go tool preprofile", "send the profile that it was made from"));
    }
    if contains(first, b"heap profile:") {
        let kind =
            first.iter().rposition(|&byte| byte == b'@').map_or(&b""[..], |at| first[at + 1..].trim_ascii());
        return Some(match kind {
            _ if kind.starts_with(b"growth") => {
                ("the profile is a heap growth profile in the old text format (growthz)", CPP)
            }
            _ if kind.starts_with(b"fragmentation") => {
                ("the profile is a heap fragmentation profile in the old text format (fragmentationz)", CPP)
            }
            _ => ("the profile is a heap profile in the old text format", TEXT),
        });
    }
    for (start, what, advice) in [
        ("--- heapz 1 ---", "the profile is a Java heap profile in the old text format", CPP),
        ("--- contentionz ", "the profile is a contention profile in the old text format (contentionz)", CPP),
        ("--- contention:", "the profile is a block profile in the old text format", TEXT),
        ("--- mutex:", "the profile is a mutex profile in the old text format", TEXT),
    ] {
        if first.starts_with(start.as_bytes()) {
            return Some((what, advice));
        }
    }
    after_comments(raw)
}

/// Formats whose header may follow comments and empty lines.
fn after_comments(raw: &[u8]) -> Option<(&'static str, &'static str)> {
    let mut rest = raw;
    let header = loop {
        let line = line(rest);
        let shown = line.trim_ascii();
        if !shown.is_empty() && !shown.starts_with(b"#") {
            break line;
        }
        rest = rest.get(line.len() + 1..)?;
    };
    if let Some(kind) = count_kind(header) {
        return Some(match kind {
            b"goroutine" => ("the profile is a goroutine profile in the old text format", TEXT),
            b"threadcreate" => ("the profile is a threadcreate profile in the old text format", TEXT),
            _ => ("the profile is a count profile in the old text format", TEXT),
        });
    }
    if header.starts_with(b"goroutine ") && header.ends_with(b":") && contains(header, b" [") {
        return Some(("this is a dump of goroutine stacks", TEXT));
    }
    let threads = contains(header, b"--- threadz ")
        || (contains(header, b"--- Thread ") && contains(header, b" stack: ---"));
    threads.then_some(("the profile is a thread profile in the old text format (threadz)", CPP))
}

/// `goroutine profile: total 7`: what is counted.
fn count_kind(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let at = find(line, b" profile: total ")?;
    let (kind, count) = (&line[..at], &line[at + b" profile: total ".len()..]);
    let word = !kind.is_empty() && !kind.iter().any(u8::is_ascii_whitespace);
    (word && !count.is_empty() && count.iter().all(u8::is_ascii_digit)).then_some(kind)
}

/// The first line, or as much of it as a header can be.
fn line(raw: &[u8]) -> &[u8] {
    let end = raw.iter().take(4096).position(|&byte| byte == b'\n');
    &raw[..end.unwrap_or(raw.len().min(4096))]
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    find(line, part).is_some()
}

fn find(line: &[u8], part: &[u8]) -> Option<usize> {
    line.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(words: [u64; 5], bytes: impl Fn(u64) -> Vec<u8>) -> Vec<u8> {
        words.into_iter().flat_map(bytes).collect()
    }

    #[test]
    fn binary_profiles_of_every_word_are_known() {
        for (java, expected) in [
            (0, "the profile is a CPU profile in the old binary format (profilez)"),
            (1, "the profile is a Java CPU profile in the old binary format (profilez)"),
        ] {
            let words = [0, 3, java, 10_000, 0];
            for raw in [
                header(words, |word| (word as u32).to_le_bytes().to_vec()),
                header(words, |word| (word as u32).to_be_bytes().to_vec()),
                header(words, |word| word.to_le_bytes().to_vec()),
                header(words, |word| word.to_be_bytes().to_vec()),
            ] {
                assert_eq!(recognise(&raw), Some(expected));
                assert_eq!(recognise(&raw[..raw.len() - 1]), None);
            }
        }
        assert_eq!(recognise(&header([0, 3, 0, 0, 0], |word| word.to_le_bytes().to_vec())), None);
    }

    #[test]
    fn texts_are_known_by_their_headers() {
        for (raw, expected) in [
            ("heap profile: 1: 2 [ 3: 4 ] @ heap/1048576\n", Some("a heap profile in the old text format")),
            ("heap profile: 1: 2 [3: 4] @ heap_v2/524288\n", Some("a heap profile in the old text format")),
            (
                "heap profile: 1: 2 [3: 4] @ growthz\n",
                Some("a heap growth profile in the old text format (growthz)"),
            ),
            (
                "heap profile: 1: 2 [3: 4] @ fragmentationz\n",
                Some("a heap fragmentation profile in the old text format (fragmentationz)"),
            ),
            ("goroutine profile: total 7\n1 @ 0x1\n", Some("a goroutine profile in the old text format")),
            ("# a comment\n\ngoroutine profile: total 7", Some("a goroutine profile in the old text format")),
            ("threadcreate profile: total 10\n", Some("a threadcreate profile in the old text format")),
            ("mine profile: total 10\n", Some("a count profile in the old text format")),
            ("mine profile: total ten\n", None),
            ("--- contentionz 1 ---\n", Some("a contention profile in the old text format (contentionz)")),
            ("--- contention:\ncycles/second=1\n", Some("a block profile in the old text format")),
            ("--- mutex:\n", Some("a mutex profile in the old text format")),
            ("--- heapz 1 ---\n", Some("a Java heap profile in the old text format")),
            ("--- threadz 1 ---\n", Some("a thread profile in the old text format (threadz)")),
            (
                "--- Thread 7f (name: main/12) stack: ---\n",
                Some("a thread profile in the old text format (threadz)"),
            ),
            ("GO PREPROFILE V1\nmain.main\n", Some("the output of go tool preprofile")),
            ("go 1.22 trace\0\0\0", Some("a Go execution trace")),
            ("goroutine 1 [running]:\nmain.main()\n", Some("a dump of goroutine stacks")),
            ("<!doctype html>\n", None),
            ("404 page not found\n", None),
            ("#\n#\n", None),
            ("", None),
        ] {
            let known = recognise(raw.as_bytes());
            let known =
                known.map(|known| known.trim_start_matches("the profile is ").trim_start_matches("this is "));
            assert_eq!(known, expected, "{raw}");
        }
    }

    #[test]
    fn only_what_could_not_be_decoded_is_looked_at() {
        let raw = b"goroutine profile: total 7\n";
        let limit = name(raw, Fault::TooLarge { limit: 1 }.into());
        assert_eq!(limit.kind(), ErrorKind::Limit);
        let legacy = name(raw, Fault::NoStrings.into());
        assert_eq!(legacy.kind(), ErrorKind::Legacy);
        assert_eq!(
            legacy.to_string(),
            "the profile is a goroutine profile in the old text format, not a pprof protobuf: \
             take a CPU profile from /debug/pprof/profile, without ?debug="
        );
    }
}
