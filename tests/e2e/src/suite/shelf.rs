//! The store of a stage, seen past autopgo.

use std::path::PathBuf;

/// Where the objects are.
pub enum Shelf {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket of MinIO, at the end of a cable that can be cut.
    #[cfg(feature = "services")]
    Bucket {
        /// The bucket, past the cable.
        bucket: crate::s3::Bucket,
        /// What the process is at the other end of.
        cable: autopgo_conformance::brokers::Cable,
    },
}

impl Shelf {
    /// The keys that start with `prefix`, which ends in a slash.
    ///
    /// # Panics
    /// When they cannot be listed.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        match self {
            Self::Folder(folder) => {
                let Ok(entries) = std::fs::read_dir(folder.join(prefix)) else { return Vec::new() };
                let names = entries.map(|entry| entry.expect("an entry").file_name());
                let names = names.map(|name| name.to_str().expect("UTF-8").to_owned());
                names.filter(|name| !name.starts_with('.')).map(|name| format!("{prefix}{name}")).collect()
            }
            #[cfg(feature = "services")]
            Self::Bucket { bucket, .. } => bucket.keys(prefix).await,
        }
    }

    /// Puts an object, without a word to anybody.
    ///
    /// # Panics
    /// When it cannot be put.
    pub async fn put(&self, key: &str, bytes: &[u8]) {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(key);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                // As a whole, as every store puts an object.
                let draft = folder.join(format!(".autopgo-{:016x}.tmp", fastrand::u64(..)));
                std::fs::write(&draft, bytes).expect("written");
                std::fs::rename(draft, path).expect("moved");
            }
            #[cfg(feature = "services")]
            Self::Bucket { bucket, .. } => bucket.put_as_go(key, bytes).await,
        }
    }
}

/// A fresh key in the staging of `app`, as the Go original makes them.
pub(super) fn staged(app: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{app}/staging/{}", now.as_nanos())
}
