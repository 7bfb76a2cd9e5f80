//! Bodies that are no profile which PGO can use: refused by name, nothing staged, the server still up.

use autopgo_core::limits::Limits;

use crate::world::{World, fixture};

#[tokio::test]
async fn each_is_told_what_is_wrong() {
    let world = World::new().await;
    let good = fixture("profiles/hello-app/a-1.pprof");
    let random: Vec<u8> = (0..10_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (what, body, says) in [
        ("empty", Vec::new(), "empty"),
        ("random", random, "not a pprof profile"),
        ("text", b"hello, is this the place for profiles?\n".to_vec(), ""),
        ("truncated gzip", good[..good.len() / 2].to_vec(), "cut short"),
        ("gzip without its trailer", good[..good.len() - 4].to_vec(), "cut short"),
        ("gzip header alone", good[..10].to_vec(), "cut short"),
        ("corrupt gzip", flipped(&good), "corrupt"),
        ("gzip of gzip", pack(&good), "twice"),
        ("gzip and garbage", [good.as_slice(), b"garbage"].concat(), ""),
        ("heap", fixture("profiles/hello-app/a-heap.pprof"), "(a heap"),
        ("goroutine", fixture("profiles/hello-app/a-goroutine.pprof"), "goroutine"),
        ("mutex", profile_of("contentions", "delay"), "contentions/count"),
        ("other types", profile_of("wall", "off-cpu"), "PGO needs a CPU profile"),
        ("legacy binary", fixture("profiles/legacy-gobench.cpu"), "old binary format"),
        ("no start line", fixture("golden/inputs/broken-no-start-line.pprof"), "start_line"),
        ("negative", fixture("golden/inputs/broken-negative-value.pprof"), "negative"),
        ("dangling location", fixture("golden/inputs/broken-location-missing.pprof"), "location"),
        ("dangling function", fixture("golden/inputs/broken-function-missing.pprof"), "function"),
        ("dangling string", fixture("golden/inputs/broken-string-out-of-range.pprof"), "string"),
        ("preprofile text", fixture("golden/inputs/broken-preprofile-text.pprof"), ""),
    ] {
        let answer = world.post("/api/profile/hello", "", &body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        let message = answer.message();
        assert!(message.to_lowercase().contains(&says.to_lowercase()), "{what}: {message}");
    }
    assert_eq!(world.keys().await, [""; 0]);
    assert_eq!(world.post("/api/profile/hello", "", &good).await.status, 201);
}

#[tokio::test]
async fn every_old_format_is_refused() {
    let world = World::new().await;
    let inputs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/golden/inputs");
    let mut tried = 0;
    for entry in std::fs::read_dir(inputs).expect(inputs) {
        let name = entry.expect("an entry").file_name().into_string().expect("ASCII");
        if name.starts_with("legacy-") {
            let answer =
                world.post("/api/profile/hello", "", &fixture(&format!("golden/inputs/{name}"))).await;
            assert_eq!(answer.status, 400, "{name}: {}", answer.text());
            assert!(answer.message().contains("pprof"), "{name}: {}", answer.text());
            tried += 1;
        }
    }
    assert!(tried >= 10, "only {tried} in {inputs}");
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_profile_over_a_limit_is_told_which() {
    // a-1.pprof: 223 samples.
    let profile = fixture("profiles/hello-app/a-1.pprof");
    let labelled = fixture("profiles/hello-app/labels-1.pprof");
    let edge = Limits { samples: 223, body_bytes: profile.len() as u64, ..Limits::default() };
    let world = World::with(edge).await;
    assert_eq!(world.post("/api/profile/hello", "", &profile).await.status, 201);
    for (limits, body, says) in [
        (Limits { samples: 222, ..Limits::default() }, &profile, "223 samples; the limit is 222"),
        (Limits { locations: 1, ..Limits::default() }, &profile, "locations; the limit is 1"),
        (Limits { functions: 1, ..Limits::default() }, &profile, "functions; the limit is 1"),
        (Limits { strings: 1, ..Limits::default() }, &profile, "strings; the limit is 1"),
        (Limits { labels: 0, ..Limits::default() }, &labelled, "labels"),
        (
            Limits { upload_raw_bytes: 1000, ..Limits::default() },
            &profile,
            "larger than 1000 bytes when inflated",
        ),
        (
            Limits { body_bytes: profile.len() as u64 - 1, ..Limits::default() },
            &profile,
            "AUTOPGO_MAX_BODY_BYTES",
        ),
    ] {
        let world = World::with(limits).await;
        world.post("/api/profile/hello", "", body).await.is(413, says);
        assert_eq!(world.keys().await, [""; 0]);
    }
}

/// A valid profile with two sample types in nanoseconds and counts, and no samples.
fn profile_of(first: &str, second: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let types = [field(1, &[8, 1, 16, 2]), field(1, &[8, 3, 16, 4])].concat();
    let strings = ["", first, "count", second, "nanoseconds"].map(|text| field(6, text.as_bytes())).concat();
    [types, strings].concat()
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// The same with its checksum wrong.
fn flipped(gzip: &[u8]) -> Vec<u8> {
    let mut bytes = gzip.to_vec();
    let at = bytes.len() - 8;
    bytes[at] ^= 1;
    bytes
}
