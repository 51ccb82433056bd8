//! What of a folder is sent, in the order of its paths: names, kinds and sizes. No content is kept.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::context_error::ContextError;
use super::ignore_rules::{IgnoreRules, MatchedRules};

/// Most bytes of a context. Ours: a job's tools are installed by the build, not sent with it.
pub const MAX_CONTEXT_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Most files and folders. Ours.
const MAX_ENTRIES: u64 = 200_000;
/// Longest path, in bytes. Linux takes 4095 for a path, and the context is unpacked below another one.
const MAX_PATH_BYTES: usize = 3000;
/// Deepest folder. Ours; it bounds the walk.
const MAX_DEPTH: usize = 200;
/// Largest ignore file, in bytes. Ours.
const MAX_IGNORE_BYTES: u64 = 1024 * 1024;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextEntryKind {
    /// A folder.
    Folder,
    /// A file with so many bytes.
    File {
        /// Its size when the folder was read.
        size_bytes: u64,
        /// Its owner may run it.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// What it names.
        target: String,
    },
}

/// One file, folder or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextEntry {
    /// Its path below the root, with `/`.
    pub path: String,
    /// What it is.
    pub kind: ContextEntryKind,
}

/// A folder that was read.
#[derive(Debug)]
pub struct ContextFolder {
    pub(super) root: PathBuf,
    pub(super) entries: Vec<ContextEntry>,
    /// What the engine is told to ignore: the Dockerfile, where its own rules hide it from the build.
    pub(super) hidden_dockerfile: Option<String>,
    rules: IgnoreRules,
}

impl ContextFolder {
    /// Reads names and kinds of everything that is sent; blocks. `dockerfile` is its path in the folder; it
    /// is always sent, because the engine reads it.
    ///
    /// # Errors
    ///
    /// What cannot be sent, or cannot be read.
    pub fn read(root: &Path, dockerfile: &str) -> Result<Self, ContextError> {
        let rules = ignore_rules(root, dockerfile)?;
        let mut walk = FolderWalk { root, rules: &rules, entries: Vec::new(), bytes: 0 };
        walk.folder("", &MatchedRules::default(), 0)?;
        let mut entries = walk.entries;
        let is_sent = entries.iter().any(|entry| entry.path == dockerfile);
        if !is_sent {
            let path = root.join(dockerfile);
            let found = fs::symlink_metadata(&path)
                .map_err(ContextError::unreadable("reading the Dockerfile", &path))?;
            let kind = kind_of(dockerfile, &path, &found)?;
            entries.push(ContextEntry { path: dockerfile.to_owned(), kind });
        }
        // One order for every file system; a folder stands before what is in it.
        entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        let hidden_dockerfile = (!is_sent).then(|| dockerfile.to_owned());
        if entries.iter().any(|entry| entry.path == ".git") && !rules.asks_for(".git") {
            return Err(ContextError::GitFolder);
        }
        Ok(Self { root: root.to_owned(), entries, hidden_dockerfile, rules })
    }

    /// Everything that is sent, sorted.
    #[must_use]
    pub fn entries(&self) -> &[ContextEntry] {
        &self.entries
    }

    /// The folder on this host.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The content of the Dockerfile, at most `most_bytes` of it; blocks.
    ///
    /// # Errors
    ///
    /// If it is no file, or cannot be read.
    pub fn dockerfile(&self, dockerfile: &str, most_bytes: u64) -> Result<Vec<u8>, ContextError> {
        let entry = self.entries.iter().find(|entry| entry.path == dockerfile);
        if !matches!(entry, Some(ContextEntry { kind: ContextEntryKind::File { .. }, .. })) {
            let what = "no file, but named as the Dockerfile".to_owned();
            return Err(ContextError::Refused { path: dockerfile.to_owned(), what });
        }
        let path = self.root.join(dockerfile);
        let unreadable = || ContextError::unreadable("reading the Dockerfile", &path);
        let mut content = Vec::new();
        let file = super::context_file::open_file(&path).map_err(unreadable())?;
        file.take(most_bytes).read_to_end(&mut content).map_err(unreadable())?;
        Ok(content)
    }

    /// Whether there is such a path, as `COPY` would look for it.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_start_matches("./").trim_matches('/');
        let is_it = |entry: &ContextEntry| {
            let below = entry.path.strip_prefix(path);
            entry.path == path || below.is_some_and(|rest| rest.starts_with('/'))
        };
        path.is_empty() || path == "." || self.entries.iter().any(is_it)
    }

    /// Whether the ignore file keeps this path away.
    #[must_use]
    pub fn ignores(&self, path: &str) -> bool {
        self.rules.is_ignored(path.trim_start_matches("./").trim_matches('/'))
    }
}

/// The rules of `DOCKERFILE.dockerignore`, else of `.dockerignore`, else none.
fn ignore_rules(root: &Path, dockerfile: &str) -> Result<IgnoreRules, ContextError> {
    for name in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()] {
        let path = root.join(&name);
        let unreadable = ContextError::unreadable("reading the ignore file", &path);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error)),
            Ok(found) if !found.is_file() || found.len() > MAX_IGNORE_BYTES => {
                let what = format!("no file of at most {MAX_IGNORE_BYTES} bytes");
                return Err(ContextError::Refused { path: name, what });
            }
            Ok(_) => {
                let text = fs::read_to_string(&path).map_err(unreadable)?;
                return IgnoreRules::parse(&name, &text);
            }
        }
    }
    Ok(IgnoreRules::default())
}

struct FolderWalk<'a> {
    root: &'a Path,
    rules: &'a IgnoreRules,
    entries: Vec<ContextEntry>,
    bytes: u64,
}

impl FolderWalk<'_> {
    fn folder(
        &mut self,
        below: &str,
        matched: &MatchedRules,
        depth: usize,
    ) -> Result<(), ContextError> {
        let folder = self.root.join(below);
        let unreadable = || ContextError::unreadable("reading the folder", &folder);
        for entry in fs::read_dir(&folder).map_err(unreadable())? {
            let entry = entry.map_err(unreadable())?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let path = folder.join(&name).to_string_lossy().into_owned();
                return Err(ContextError::Name { path, what: "is not UTF-8" });
            };
            let path = match below {
                "" => name.to_owned(),
                below => format!("{below}/{name}"),
            };
            let matched = self.rules.matched(matched, &path);
            let ignored = self.rules.ignores(&matched);
            let found =
                entry.metadata().map_err(ContextError::unreadable("looking at", &entry.path()))?;
            if !ignored {
                self.take(&path, &entry.path(), &found, depth)?;
            }
            if found.is_dir() && (!ignored || self.rules.takes_some_in()) {
                self.folder(&path, &matched, depth + 1)?;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        path: &str,
        place: &Path,
        found: &Metadata,
        depth: usize,
    ) -> Result<(), ContextError> {
        if path.len() > MAX_PATH_BYTES || depth > MAX_DEPTH {
            let path = path.chars().take(200).collect();
            return Err(ContextError::Name { path, what: "is too long or too deep" });
        }
        let kind = kind_of(path, place, found)?;
        if let ContextEntryKind::File { size_bytes, .. } = kind {
            self.bytes = self.bytes.saturating_add(size_bytes);
        }
        self.entries.push(ContextEntry { path: path.to_owned(), kind });
        let files = self.entries.len() as u64;
        if self.bytes > MAX_CONTEXT_BYTES || files > MAX_ENTRIES {
            return Err(ContextError::TooLarge {
                found_bytes: self.bytes,
                files,
                most_bytes: MAX_CONTEXT_BYTES,
                most_files: MAX_ENTRIES,
                largest: self.largest(),
            });
        }
        Ok(())
    }

    /// The entry at the top with most bytes below it.
    fn largest(&self) -> String {
        let mut sizes = std::collections::BTreeMap::<&str, u64>::new();
        for entry in &self.entries {
            if let ContextEntryKind::File { size_bytes, .. } = entry.kind {
                let top = entry.path.split('/').next().unwrap_or_default();
                *sizes.entry(top).or_default() += size_bytes;
            }
        }
        let largest = sizes.into_iter().max_by_key(|(_, bytes)| *bytes);
        largest.map(|(top, _)| top.to_owned()).unwrap_or_default()
    }
}

fn kind_of(path: &str, place: &Path, found: &Metadata) -> Result<ContextEntryKind, ContextError> {
    let kind = found.file_type();
    let refused = |what: String| Err(ContextError::Refused { path: path.to_owned(), what });
    if kind.is_dir() {
        Ok(ContextEntryKind::Folder)
    } else if kind.is_file() {
        let executable = found.permissions().mode() & 0o100 != 0;
        Ok(ContextEntryKind::File { size_bytes: found.len(), executable })
    } else if kind.is_symlink() {
        let target =
            fs::read_link(place).map_err(ContextError::unreadable("reading the link", place))?;
        match target.to_str() {
            Some(target) if stays_inside(path, target) => {
                Ok(ContextEntryKind::Link { target: target.to_owned() })
            }
            _ => refused(format!("a link to {:?}, outside the context", target.display())),
        }
    } else if kind.is_fifo() {
        refused("a FIFO".to_owned())
    } else if kind.is_socket() {
        refused("a socket".to_owned())
    } else {
        refused("a device".to_owned())
    }
}

/// Whether a link at `path` leads to a place below the root, as its text says.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return false;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, depth) {
            ("..", 0) => return false,
            ("..", _) => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}
