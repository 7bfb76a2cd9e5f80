//! The grammar of the URL, the layout on the disk, and what a disk can do to a store. What every store does is tested
//! by the laws.

use std::fs;
use std::time::SystemTime;

use autopgo_core::address::Resource;
use tempfile::TempDir;

use super::*;

fn address(url: &str) -> Address {
    Address::of(Resource::Bucket, url).expect(url)
}

#[test]
fn a_url_names_a_folder() {
    for (url, path) in [
        ("file:///var/lib/autopgo", "/var/lib/autopgo"),
        ("file:///", "/"),
        ("file://localhost/data", "/data"),
        ("file://./data/x", "data/x"),
        ("file://.", "."),
        ("file://./", "."),
        ("file://./../x", "../x"),
        ("file:///a%20b/%25", "/a b/%"),
        ("blob+bucket+file:///data", "/data"),
    ] {
        assert_eq!(folder(&address(url)).expect(url), Path::new(path), "{url}");
    }
    let host = folder(&address("file://data/x")).expect_err("a host");
    assert_eq!(
        host.what(),
        "file://data/x has a host, data; write file:///data/x for an absolute folder and file://./data/x for a \
         relative one"
    );
    assert_eq!(folder(&address("file://")).expect_err("nothing").kind(), Kind::Invalid);
}

#[test]
fn parameters_are_those_of_gocloud() {
    let opened = |query: &str| options(address(&format!("file:///x?{query}")).params());
    let made = |create, folder_mode| Options { create, folder_mode };
    for (query, expected) in [
        ("", made(false, 0o777)),
        ("create_dir=1", made(true, 0o777)),
        ("create_dir=false", made(true, 0o777)),
        ("create_dir=", made(false, 0o777)),
        ("dir_file_mode=488&create_dir=y", made(true, 0o750)),
        ("no_tmp_dir=1&metadata=skip", made(false, 0o777)),
    ] {
        assert_eq!(opened(query).expect(query), expected, "{query}");
    }
    for (query, says) in [
        ("dir_file_mode=0750", "for octal 0750 write 488"),
        ("dir_file_mode=0o750", "for octal 0o750 write 488"),
        ("dir_file_mode=4096", "0 to 4095"),
        ("dir_file_mode=rwx", "0 to 4095"),
        ("dir_file_mode=", "0 to 4095"),
        ("metadata=sidecar", "not one of skip"),
        ("base_url=/show&secret_key_path=k", "unknown parameters \"base_url\", \"secret_key_path\""),
        ("createdir=1", "unknown parameter \"createdir\""),
    ] {
        let error = opened(query).expect_err(query);
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
    }
}

async fn store() -> (TempDir, FileBlobs) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FileBlobs::open(folder.path(), Options::default()).await.expect("opened");
    (folder, store)
}

async fn write(store: &FileBlobs, key: &str) -> Version {
    store.write(key, key.to_owned().into(), When::Always).await.expect("written")
}

async fn keys(store: &FileBlobs, prefix: &str) -> Vec<String> {
    store.list(prefix, None).map_ok(|entry| entry.key).try_collect().await.expect("listed")
}

#[tokio::test]
async fn the_layout_is_that_of_gocloud() {
    let (folder, store) = store().await;
    let version = write(&store, "checkout/default.pgo").await;
    write(&store, "../up").await;
    write(&store, "a//b").await;
    write(&store, "a/").await;
    write(&store, "/").await;
    assert_eq!(fs::read(folder.path().join("checkout/default.pgo")).expect("there"), b"checkout/default.pgo");
    assert_eq!(version.as_str(), "e8dcd5a4fd001cec01df02a78ac1bca0d90a05c94e3103fdf9bb3cdaf6bc4f5c");
    assert!(folder.path().join("..__0x2f__up").is_file() && folder.path().join("a/__0x2f__b").is_file());
    assert_eq!(keys(&store, "").await, ["../up", "/", "a/", "a//b", "checkout/default.pgo"]);
    assert_eq!(keys(&store, "a/").await, ["a/", "a//b"]);
    assert_eq!(keys(&store, "/").await, ["/"]);
    assert_eq!(keys(&store, "../").await, ["../up"]);
}

#[tokio::test]
async fn what_others_left_is_hidden_or_goes_with_its_object() {
    let (folder, store) = store().await;
    let at = |name: &str| folder.path().join(name);
    write(&store, "app/default.pgo").await;
    for name in ["app/default.pgo.attrs", "app/x.attrs", "app/.autopgo-1.tmp", "app/n__0x61__me", "app/a\nb"]
    {
        fs::write(at(name), "x").expect(name);
    }
    assert_eq!(keys(&store, "").await, ["app/default.pgo"]);
    write(&store, "app/default.pgo").await;
    assert!(!at("app/default.pgo.attrs").exists(), "the old content's attributes");
    fs::write(at("app/default.pgo.attrs"), "x").expect("written");
    store.delete("app/default.pgo").await.expect("deleted");
    assert!(!at("app/default.pgo.attrs").exists() && at("app/x.attrs").exists());
}

#[tokio::test]
async fn abandoned_drafts_go_and_fresh_ones_stay() {
    let (folder, store) = store().await;
    write(&store, "app/default.pgo").await;
    let drafts =
        ["app/.autopgo-old.tmp", ".autopgo-old.tmp", ".autopgo/.autopgo-old.tmp", "app/.autopgo-new.tmp"];
    for name in drafts {
        let draft = fs::File::create(folder.path().join(name)).expect(name);
        if name.contains("old") {
            draft.set_modified(SystemTime::now() - draft::ABANDONED).expect(name);
        }
    }
    let left = |folder: &TempDir| drafts.map(|name| folder.path().join(name).exists());
    keys(&store, "").await;
    assert_eq!(left(&folder), [false, false, true, true]);
    FileBlobs::open(folder.path(), Options::default()).await.expect("opened again");
    assert_eq!(left(&folder), [false, false, false, true]);
}

#[tokio::test]
async fn nothing_is_left_of_a_write_that_was_not_made() {
    let (folder, store) = store().await;
    write(&store, "app/1").await;
    for when in [When::Absent, When::Is(Version::new("stale"))] {
        let error = store.write("app/1", "x".into(), when).await.expect_err("refused");
        assert_eq!(error.kind(), Kind::Conflict);
    }
    let files: Vec<_> = fs::read_dir(folder.path().join("app")).expect("read").collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[tokio::test]
async fn what_cannot_be_a_file_is_refused_and_says_why() {
    let (_folder, store) = store().await;
    write(&store, "a/b").await;
    for (key, says) in [
        ("a", "objects below this key"),
        ("a/b/c", "an object already"),
        ("a/../../etc/passwd/..", ". or .."),
        (".autopgo/lock/00", "reserved"),
        (&"x".repeat(300), "longer than a file name"),
    ] {
        let error = store.write(key, "x".into(), When::Always).await.expect_err(key);
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{key}: {}", error.chain());
    }
    assert_eq!(keys(&store, "").await, ["a/b"]);
}

#[tokio::test]
async fn a_folder_that_was_tidied_away_is_made_again() {
    let (folder, store) = store().await;
    write(&store, "app/staging/1").await;
    fs::remove_dir_all(folder.path().join("app")).expect("removed");
    assert!(store.stat("app/staging/1").await.expect("looked").is_none());
    write(&store, "app/staging/2").await;
    assert_eq!(keys(&store, "").await, ["app/staging/2"]);
}

#[tokio::test]
async fn a_store_that_went_away_is_no_empty_store() {
    let (folder, store) = store().await;
    write(&store, "app/1").await;
    // As an unmounted disk looks: the folder is there, and nothing in it.
    fs::remove_dir_all(folder.path()).expect("removed");
    fs::create_dir(folder.path()).expect("made");
    let is_gone = |what: &str, error: Error| {
        assert!(
            error.kind() == Kind::Unavailable && error.what().contains("is gone"),
            "{what}: {}",
            error.chain()
        );
    };
    is_gone("read", store.read("app/1", 100).await.expect_err("gone"));
    is_gone("stat", store.stat("app/1").await.expect_err("gone"));
    is_gone("list", store.list("", None).try_next().await.expect_err("gone"));
    is_gone("list", store.list("app/", None).try_next().await.expect_err("gone"));
    is_gone("check", store.check().await.expect_err("gone"));
    assert_eq!(store.delete("app/1").await.expect_err("gone").kind(), Kind::Unavailable);
    assert_eq!(
        store.write("app/1", "x".into(), When::Always).await.expect_err("gone").kind(),
        Kind::Unavailable
    );
}

#[cfg(unix)]
#[tokio::test]
async fn links_below_the_root_are_not_followed() {
    use std::os::unix::fs::symlink;

    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "x").expect("written");
    let (folder, store) = store().await;
    write(&store, "app/1").await;
    symlink(outside.path(), folder.path().join("link")).expect("linked");
    symlink(outside.path().join("secret"), folder.path().join("app/secret")).expect("linked");
    assert_eq!(keys(&store, "").await, ["app/1"]);
    assert!(store.list("link/", None).try_next().await.expect("listed").is_none());
    for key in ["link/secret", "app/secret"] {
        let errors = [
            store.read(key, 100).await.map(drop).expect_err(key),
            store.stat(key).await.map(drop).expect_err(key),
            store.write(key, "y".into(), When::Always).await.map(drop).expect_err(key),
            store.copy(key, "app/2").await.map(drop).expect_err(key),
            store.delete(key).await.expect_err(key),
        ];
        for error in errors {
            assert!(
                error.kind() == Kind::Invalid && error.what().contains("symbolic link"),
                "{key}: {error}"
            );
        }
    }
    assert_eq!(fs::read(outside.path().join("secret")).expect("there"), b"x");

    // The root itself may be one, and both ways in have the same locks and objects.
    let way = outside.path().join("way");
    symlink(folder.path(), &way).expect("linked");
    let other = FileBlobs::open(&way, Options::default()).await.expect("opened");
    assert_eq!(keys(&other, "").await, ["app/1"]);
}

#[tokio::test]
async fn a_folder_is_made_only_when_asked_for() {
    let above = tempfile::tempdir().expect("a folder");
    let folder = above.path().join("deep/er");
    let missing = FileBlobs::open(&folder, Options::default()).await.err().expect("not there");
    assert_eq!(missing.kind(), Kind::NotFound);
    assert!(missing.what().contains("create_dir=1"), "{missing}");
    let made = Options { create: true, folder_mode: 0o750 };
    write(&FileBlobs::open(&folder, made).await.expect("made"), "app/staging/1").await;
    #[cfg(unix)]
    for path in ["deep", "deep/er", "deep/er/app", "deep/er/app/staging", "deep/er/.autopgo/lock"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(above.path().join(path)).expect(path).permissions().mode();
        assert_eq!(mode & 0o027, 0, "{path} is {mode:o}");
    }
    let file = above.path().join("file");
    fs::write(&file, "x").expect("written");
    let error = FileBlobs::open(&file, made).await.err().expect("a file");
    assert!(error.kind() == Kind::Invalid && error.what().contains("no folder"), "{error}");
}
