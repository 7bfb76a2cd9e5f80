//! The real profiles of tests/fixtures.

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
