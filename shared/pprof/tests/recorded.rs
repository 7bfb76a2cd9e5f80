//! The real profiles of tests/fixtures.

use std::ops::Range;
use std::path::PathBuf;

/// All that are protobufs, each as it stands in its file, by name.
pub(crate) fn protobufs() -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/profiles");
    let mut paths: Vec<PathBuf> = [root.clone(), root.join("hello-app")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "pgo" || it == "pprof"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 21, "{paths:?}");
    let read = |path: PathBuf| {
        let file = std::fs::read(&path).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), file)
    };
    paths.into_iter().map(read).collect()
}

/// Copies of `raw` in each of which one or two bits are others.
#[allow(dead_code, reason = "not every test breaks what is recorded")]
pub(crate) fn broken(raw: &[u8], copies: usize) -> Vec<Vec<u8>> {
    let mut state = 7_usize;
    let mut copy = |_| {
        let mut broken = raw.to_vec();
        for _ in 0..2 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let at = (state >> 20) % broken.len();
            broken[at] ^= 1 << (state >> 17 & 7);
        }
        broken
    };
    (0..copies).map(&mut copy).collect()
}

/// Where the entries of the table of locations are.
#[allow(dead_code, reason = "not every test moves them")]
pub(crate) fn locations(raw: &[u8]) -> Vec<Range<usize>> {
    const LOCATION: usize = 4 << 3 | 2;
    let mut at = 0;
    let varint = |at: &mut usize| {
        let length = raw[*at..].iter().position(|&byte| byte < 0x80).unwrap() + 1;
        let bytes = &raw[*at..*at + length];
        *at += length;
        bytes.iter().rev().fold(0, |value, &byte| value << 7 | usize::from(byte & 0x7f))
    };
    let mut found = Vec::new();
    while at < raw.len() {
        let start = at;
        let tag = varint(&mut at);
        let value = varint(&mut at);
        at += if tag & 7 == 2 { value } else { 0 };
        found.extend((tag == LOCATION).then_some(start..at));
    }
    found
}
