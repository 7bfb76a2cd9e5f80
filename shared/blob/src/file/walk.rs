//! Listing: a walk through the folders in the order of the keys' bytes, a page at a time, into no folder that cannot
//! hold what is asked for.
//!
//! The order of keys is not the order of folders: `a-b/x` comes before `a/x`, because `-` comes before `/`. So a
//! folder is sorted under its name with the slash behind it. With that, all keys below one entry of a folder lie
//! between it and the next, and a walk that keeps one sorted folder a level gives every key in its place.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autopgo_core::error::Result;
use autopgo_core::port::blobs::Entry;
use jiff::Timestamp;

use super::draft;
use super::fail::failed;
use super::place::{Place, RESERVED, SIDECAR, folder_of, unescape};
use super::root::{Root, is_absence};

/// How many entries are read at a time, on a thread that may block.
const PAGE: usize = 512;

/// A listing under way.
pub(super) struct Walk {
    root: Arc<Root>,
    prefix: String,
    after: Option<String>,
    started: bool,
    /// The folders between the root and where the walk is, each with what is left of it, last first.
    open: Vec<Vec<Node>>,
}

/// Something in a folder. A folder's key ends with a slash.
struct Node {
    key: String,
    path: PathBuf,
    folder: bool,
}

impl Walk {
    pub(super) fn new(root: Arc<Root>, prefix: &str, after: Option<&str>) -> Self {
        Self {
            root,
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            started: false,
            open: Vec::new(),
        }
    }

    /// The next entries; none at the end. Blocks.
    pub(super) fn page(&mut self) -> Result<Vec<Entry>> {
        if !self.started {
            self.started = true;
            self.root.is_there()?;
            self.start()?;
        }
        let mut page = Vec::new();
        while page.len() < PAGE {
            let Some(folder) = self.open.last_mut() else { break };
            match folder.pop() {
                None => {
                    self.open.pop();
                }
                Some(node) if node.folder => self.enter(&node)?,
                Some(node) => page.extend(self.entry(node)?),
            }
        }
        Ok(page)
    }

    fn start(&mut self) -> Result<()> {
        let folder = folder_of(&self.prefix);
        if let Some(folder) = &folder {
            self.enter_below_root(folder)?;
        }
        // The one object that lies beside the folder of its prefix.
        if self.prefix.ends_with('/')
            && let Ok(place) = Place::of(&self.prefix)
            && folder.as_deref() != Some(place.folder())
        {
            let node = Node { key: self.prefix.clone(), path: self.root.at(&place), folder: false };
            self.open.push(Some(node).filter(|node| self.wants(node)).into_iter().collect());
        }
        Ok(())
    }

    fn enter_below_root(&mut self, folder: &Path) -> Result<()> {
        let mut start = Node { key: String::new(), path: self.root.path().to_owned(), folder: true };
        for name in folder {
            start.path.push(name);
            start.key += &unescape(&name.to_string_lossy());
            start.key.push('/');
            // As on the way through a folder, where a link is neither an object nor a folder.
            if start.path.is_symlink() {
                return Ok(());
            }
        }
        self.enter(&start)
    }

    /// Opens a folder, with what in it can be wanted.
    fn enter(&mut self, folder: &Node) -> Result<()> {
        let listing = match fs::read_dir(&folder.path) {
            Ok(listing) => listing,
            // Removed meanwhile, or a prefix under which nothing lies.
            Err(error) if is_absence(&error) => return Ok(()),
            Err(error) => return Err(failed("listing", &folder.path, error)),
        };
        let mut nodes = Vec::new();
        for file in listing {
            let file = file.map_err(|error| failed("listing", &folder.path, error))?;
            nodes.extend(node(folder, &file).filter(|node| self.wants(node)));
        }
        // The last is taken first. An object may be named as a folder is, slash and all: it comes before what is in it.
        nodes.sort_unstable_by(|left, right| right.key.cmp(&left.key).then(right.folder.cmp(&left.folder)));
        self.open.push(nodes);
        Ok(())
    }

    /// Whether it is an entry of this listing, or a folder that may hold one.
    fn wants(&self, node: &Node) -> bool {
        let after = self.after.as_deref();
        if node.folder {
            let related = node.key.starts_with(&self.prefix) || self.prefix.starts_with(&node.key);
            // All keys below begin with the folder's, so all compare with `after` as it does, unless that is below too.
            return related
                && after.is_none_or(|after| node.key.as_str() > after || after.starts_with(&node.key));
        }
        node.key.starts_with(&self.prefix) && after.is_none_or(|after| node.key.as_str() > after)
    }

    fn entry(&self, node: Node) -> Result<Option<Entry>> {
        // A name that no key has, put there by hand, is no object: it could not be read under its key.
        if !Place::of(&node.key).is_ok_and(|place| self.root.at(&place) == node.path) {
            return Ok(None);
        }
        let metadata = match fs::symlink_metadata(&node.path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            // Deleted since the folder was read.
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(failed("listing", &node.path, error)),
        };
        let modified =
            metadata.modified().map_err(|error| failed("reading the time of", &node.path, error))?;
        let modified = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Some(Entry { key: node.key, size: metadata.len(), modified }))
    }
}

/// What a file in `folder` is to a listing, if anything.
fn node(folder: &Node, file: &DirEntry) -> Option<Node> {
    let name = file.file_name();
    let name = name.to_str()?;
    if name.starts_with(RESERVED) {
        if draft::is_draft(name) {
            draft::tidy(&file.path());
        }
        return None;
    }
    let kind = file.file_type().ok()?;
    let key = format!("{}{}", folder.key, unescape(name));
    let node = |key, folder| Some(Node { key, path: file.path(), folder });
    if kind.is_dir() {
        return node(key + "/", true);
    }
    (kind.is_file() && !name.ends_with(SIDECAR)).then(|| node(key, false)).flatten()
}
