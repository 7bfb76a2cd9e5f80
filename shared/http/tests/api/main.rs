//! The API over real connections and memory stores, byte by byte where the wire is the point.

mod bad_profiles;
#[cfg(target_os = "linux")]
mod bombs;
mod download;
mod names;
mod overload;
#[cfg(unix)]
mod signals;
mod stop;
mod upload;
mod wire;
mod world;

/// One ignored test of this program, in a process of its own.
#[cfg(unix)]
fn alone(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}
