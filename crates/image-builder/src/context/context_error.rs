//! Why a folder is not sent to the engine.

use std::io;
use std::path::PathBuf;

use fargate_model::text::{bytes, count};

/// Why a folder is not sent. Each text ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The folder, or something in it, cannot be read.
    #[error(
        "{doing} {}: {source}\nhint: let this user read it, or name it in `.dockerignore`",
        path.display()
    )]
    Unreadable {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A line of the ignore file means nothing.
    #[error("{file}:{line}: the pattern `{pattern}` {what}\nhint: correct the line")]
    Pattern {
        /// The ignore file, by its path in the context.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What stands there.
        pattern: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Something that an image cannot hold, or that a build must not depend on.
    #[error(
        "reading the context: `{path}` is {what}; allowed are files, folders, and links to places in the \
         context\nhint: remove it, or name it in `.dockerignore`"
    )]
    Refused {
        /// Its path in the context.
        path: String,
        /// What it is.
        what: String,
    },
    /// The history of git would go to the engine.
    #[error(
        "reading the context: `.git` would be sent to the engine, with everything that was ever committed\n\
         hint: write a line `.git` into `.dockerignore`, or `!.git` as its last line if the build needs it"
    )]
    GitFolder,
    /// A name that a tar file cannot hold.
    #[error(
        "reading the context: the path {path:?} {what}\nhint: rename it, or name it in `.dockerignore`"
    )]
    Name {
        /// Its path in the context.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Too much.
    #[error(
        "reading the context: more than {} in {} files; at most {} in {} files are sent\nhint: name what \
         the build does not need in `.dockerignore`; the largest folder is `{largest}`",
        bytes(*found_bytes), count(*files), bytes(*most_bytes), count(*most_files)
    )]
    TooLarge {
        /// Bytes that were found before the count ended.
        found_bytes: u64,
        /// Files that were found.
        files: u64,
        /// Most bytes.
        most_bytes: u64,
        /// Most files.
        most_files: u64,
        /// The entry at the top of the context with most bytes.
        largest: String,
    },
    /// Somebody wrote into the folder meanwhile.
    #[error(
        "reading the context: `{path}` changed while it was read\nhint: try again when nothing writes there"
    )]
    Changed {
        /// Its path in the context.
        path: String,
    },
    /// Whoever takes the tar file takes no more.
    #[error("sending the context: {0}\nhint: the engine says why, or its log does")]
    Unsent(io::Error),
}

impl ContextError {
    /// Makes one in `map_err`, for what the operating system refused.
    pub(super) fn unreadable(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable { doing, path, source }
    }
}
