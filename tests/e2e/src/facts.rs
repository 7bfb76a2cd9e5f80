//! What Linux tells of a process, in `/proc` (proc(5)).

/// The most memory that a process ever held, in bytes. `None` once it has ended.
pub fn peak_memory(id: u32) -> Option<u64> {
    status(id, "VmHWM:")
}

/// The memory that it holds now, in bytes. `None` once it has ended.
pub fn memory(id: u32) -> Option<u64> {
    status(id, "VmRSS:")
}

/// How many files, sockets among them, it has open. `None` once it has ended.
pub fn open_files(id: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count())
}

fn status(id: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
