//! Why a file is no Dockerfile that can be built.

/// Why a file is not read. Each text ends with what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerfileError {
    /// Larger than any Dockerfile is.
    #[error("reading {file}: it has more than {most_bytes} bytes\nhint: is this the Dockerfile?")]
    TooLarge {
        /// Its path in the context.
        file: String,
        /// Most bytes.
        most_bytes: usize,
    },
    /// It is no text.
    #[error("{file}:{line}: this line is not UTF-8\nhint: save the file as UTF-8")]
    NotText {
        /// Its path in the context.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// Windows line ends, which end up in scripts of `RUN`.
    #[error(
        "{file}:{line}: the line ends with CR and LF; LF alone is expected\nhint: `sed -i 's/\\r$//' {file}`"
    )]
    CarriageReturn {
        /// Its path in the context.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// Nothing but comments.
    #[error("reading {file}: it has no instruction\nhint: a Dockerfile begins with `FROM`")]
    Empty {
        /// Its path in the context.
        file: String,
    },
    /// It does not begin with a base.
    #[error(
        "{file}:{line}: {found} stands before the first `FROM`\nhint: only `ARG` may stand there"
    )]
    NoBase {
        /// Its path in the context.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The instruction.
        found: String,
    },
    /// A heredoc without its end.
    #[error(
        "{file}:{line}: the text after `<<{word}` has no end\nhint: write a line `{word}` after it"
    )]
    OpenHeredoc {
        /// Its path in the context.
        file: String,
        /// Where it begins, from 1.
        line: usize,
        /// The word that ends it.
        word: String,
    },
}
