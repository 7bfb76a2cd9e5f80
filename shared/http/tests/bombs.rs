//! Gzip bombs: refused, in memory bounded by the limit of the unpacked size. One test in one
//! process, so that the peak measured is its own.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "all of this is a test")]
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "what the other tests use of it")]
#[path = "api/world.rs"]
mod world;

use std::io::Write;

use autopgo_core::limits::Limits;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};

use world::{World, fixture, post};

const MB: usize = 1 << 20;
/// What the kernel, the allocator and the connection may add to the limit.
const MARGIN: usize = 24 * MB;

#[tokio::test]
async fn a_bomb_costs_no_more_than_the_limit() {
    // A quarter of the default: what is measured is that the limit bounds the memory, whatever it is.
    let limit = 64 * MB;
    let world = World::with(Limits { upload_raw_bytes: limit as u64, ..Limits::default() }).await;
    let good = post("/api/profile/hello", "", &fixture("profiles/rclone-full.pprof"));
    assert_eq!(world.ask(&good).await.status, 201);
    for (what, bomb, status, says) in [
        ("10 MB", member(10 * MB), 400, "not a pprof profile"),
        ("the limit", member(limit), 400, "not a pprof profile"),
        ("the limit and a byte", member(limit + 1), 413, "larger than 67108864 bytes when inflated"),
        ("1 GB", member(1024 * MB), 413, "larger than 67108864 bytes when inflated"),
        ("10 GB of members", member(8 * MB).repeat(1280), 413, "larger than 67108864 bytes when inflated"),
        ("10 GB in one stream", stream(1280, 8 * MB), 413, "larger than 67108864 bytes when inflated"),
    ] {
        let request = post("/api/profile/hello", "", &bomb);
        let idle = peak_from_here();
        world.ask(&request).await.is(status, says);
        let cost = memory("VmHWM") - idle;
        println!("{what}: {} KB sent, {} MB at the peak", bomb.len() >> 10, cost / MB);
        assert!(cost <= limit + bomb.len() + MARGIN, "{what}: {} MB", cost / MB);
        if bomb.len() < MB {
            // Four at once take turns at the cores.
            let idle = peak_from_here();
            futures_util::future::join_all(
                (0..4).map(|_| async { world.ask(&request).await.is(status, says) }),
            )
            .await;
            let cost = memory("VmHWM") - idle;
            let cores = std::thread::available_parallelism().expect("cores").get();
            println!("{what}, four at once on {cores} cores: {} MB at the peak", cost / MB);
            assert!(cost <= cores * limit + 8 * bomb.len() + MARGIN, "{what}: {} MB", cost / MB);
        }
    }
    assert_eq!(world.keys().await.len(), 1);
    assert_eq!(world.ask(&good).await.status, 201);
}

/// So many zeros in one gzip member.
fn member(zeros: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let chunk = vec![0; MB];
    for start in (0..zeros).step_by(MB) {
        encoder.write_all(&chunk[..MB.min(zeros - start)]).expect("memory");
    }
    encoder.finish().expect("memory")
}

/// One member of `times` blocks of `zeros` each, put together without unpacking them: a full flush ends a block on a
/// byte and forgets what was before it. Its checksum is wrong, but nobody gets that far.
fn stream(times: usize, zeros: usize) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(MB);
    let chunk = vec![0; zeros];
    compress.compress_vec(&chunk, &mut block, FlushCompress::Full).expect("it deflates");
    assert!(compress.total_in() as usize == zeros && block.ends_with(&[0, 0, 0xff, 0xff]));
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let size = (times * zeros) as u32;
    [&head[..], &block.repeat(times), &[3, 0], &[0; 4], &size.to_le_bytes()].concat()
}

/// Forgets the peak so far, and gives the bytes in memory now.
fn peak_from_here() -> usize {
    // proc(5): 5 resets the peak of the resident set.
    std::fs::write("/proc/self/clear_refs", "5").expect("the kernel resets the peak");
    memory("VmRSS")
}

fn memory(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|found| found.starts_with(line)).expect(line);
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok()).expect(line) << 10
}
