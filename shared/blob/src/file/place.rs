//! Where an object lies below the root: keys as paths and back, escaped as gocloud.dev's `fileblob` escapes them
//! (`escapeKey` in blob/fileblob/fileblob.go), so that either program finds what the other wrote.

use std::path::{Path, PathBuf};

use autopgo_core::error::{Error, Kind, Result};

/// No name of ours and none of an object's may begin so: lock files, drafts.
pub(super) const RESERVED: &str = ".autopgo";
/// What a Go program keeps of an object beside it.
pub(super) const SIDECAR: &str = ".attrs";

/// A checked key: a path below the root, made of plain names alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(PathBuf);

impl Place {
    /// Where the object `key` lies.
    ///
    /// # Errors
    /// `Invalid` if it can lie nowhere: no key, a name `.` or `..` or an empty one, a reserved name.
    pub(super) fn of(key: &str) -> Result<Self> {
        let escaped = escape(key);
        let problem = escaped.split('/').find_map(|name| match name {
            "" => Some("has an empty part"),
            "." | ".." => Some("has a part that is . or .."),
            name if name.starts_with(RESERVED) => {
                Some("has a part that begins with .autopgo, which is reserved")
            }
            _ => None,
        });
        let problem = problem.or_else(|| {
            key.ends_with(SIDECAR).then_some("ends with .attrs, where gocloud.dev keeps attributes")
        });
        match problem {
            Some(problem) => {
                Err(Error::new(Kind::Invalid, format!("no file can hold the key {key:?}: it {problem}")))
            }
            None => Ok(Self(PathBuf::from(escaped))),
        }
    }

    /// The path below the root.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The folder it lies in, below the root; empty for the root itself.
    pub(super) fn folder(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new(""))
    }
}

/// The folder, below the root, that all objects lie in whose keys begin with `prefix`; `None` if there can be no such
/// key. One object may lie outside: the one that is `prefix` itself, if that ends with a slash.
pub(super) fn folder_of(prefix: &str) -> Option<PathBuf> {
    // Any letter behind it makes a key of it, in the folder that all the others are in.
    Place::of(&format!("{prefix}x")).ok().map(|place| place.folder().to_owned())
}

fn escape(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    let mut escaped = String::with_capacity(key.len());
    for (at, &c) in chars.iter().enumerate() {
        let before = &chars[..at];
        let slash =
            c == '/' && (before.ends_with(&['.', '.']) || before.ends_with(&['/']) || at + 1 == chars.len());
        // Ours: what looks like an escape would be read back as one. gocloud.dev cannot keep the two apart.
        let like_escape = chars[at..].starts_with(&['_', '_', '0', 'x']);
        let windows = cfg!(windows) && matches!(c, '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*');
        if c < ' ' || slash || like_escape || windows {
            escaped.push_str(&format!("__{:#x}__", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Undoes the escapes in a name.
pub(super) fn unescape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("__0x") {
        text.push_str(&rest[..at]);
        let (hex, behind) = rest[at + 4..].split_once("__").unwrap_or_default();
        let good = !hex.is_empty() && hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        match u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).filter(|_| good) {
            Some(c) => {
                text.push(c);
                rest = behind;
            }
            None => {
                text.push('_');
                rest = &rest[at + 1..];
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_where_gocloud_puts_them() {
        for (key, path) in [
            ("checkout/default.pgo", "checkout/default.pgo"),
            ("a-b/staging/1730075435311000000", "a-b/staging/1730075435311000000"),
            ("../x", "..__0x2f__x"),
            ("a/../b", "a/..__0x2f__b"),
            ("a../b", "a..__0x2f__b"),
            ("a//b", "a/__0x2f__b"),
            ("a///b", "a/__0x2f____0x2f__b"),
            ("a/", "a__0x2f__"),
            ("a\n\u{0}\u{1f}", "a__0xa____0x0____0x1f__"),
            ("a b+c%20\u{e9}\u{7f}", "a b+c%20\u{e9}\u{7f}"),
            // The one place where ours differs.
            ("a__0x2f__b", "a__0x5f___0x2f__b"),
        ] {
            assert_eq!(Place::of(key).expect(key).path(), Path::new(path), "{key:?}");
            assert_eq!(unescape(path), key, "{path:?}");
        }
    }

    #[test]
    fn no_key_leaves_the_root_or_meets_what_is_ours() {
        for key in [
            "",
            "/a",
            ".",
            "..",
            "./a",
            "a/.",
            "a/./b",
            "a/..",
            ".autopgo",
            ".autopgo/lock/00",
            "a/.autopgo-1.tmp",
            ".autopgox",
            "a.attrs",
            "a/b.attrs",
            ".attrs",
        ] {
            let error = Place::of(key).expect_err(key);
            assert_eq!(error.kind(), Kind::Invalid, "{key:?}");
        }
        for key in ["a/..b", "...", "/", "a.attrs/b", "autopgo", "x.autopgo", "a/b..", ". /x"] {
            let place = Place::of(key).expect(key);
            let plain = place.path().components().all(|part| matches!(part, std::path::Component::Normal(_)));
            assert!(plain, "{key:?} lies at {place:?}");
        }
    }

    /// Every text of up to six characters of those that escaping looks at: a key comes back as it was, no two meet.
    #[test]
    fn escaping_can_be_undone() {
        let alphabet = ['_', '0', 'x', 'f', '/', '.', '\u{f}'];
        let mut texts = vec![String::new()];
        for _ in 0..6 {
            let longer = texts.iter().flat_map(|text| alphabet.map(|c| format!("{text}{c}")));
            texts = longer.chain([String::new()]).collect();
        }
        texts.push("__0x5\u{1}__0x__0x1__".to_owned());
        for text in texts {
            let path: Vec<String> = escape(&text).split('/').map(unescape).collect();
            assert_eq!(path.join("/"), text);
        }
    }

    #[test]
    fn a_prefix_is_in_one_folder() {
        for (prefix, folder) in [
            ("", Some("")),
            ("che", Some("")),
            ("checkout/", Some("checkout")),
            ("checkout/sta", Some("checkout")),
            ("checkout/staging/", Some("checkout/staging")),
            ("../", Some("")),
            ("a/../", Some("a")),
            ("a//", Some("a")),
            ("/", None),
            ("a/./", None),
            (".autopgo/", None),
        ] {
            assert_eq!(folder_of(prefix).as_deref(), folder.map(Path::new), "{prefix:?}");
        }
    }
}
