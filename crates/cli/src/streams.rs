//! Writes words to this process's own streams, which may be a job's log. Unlike the standard macros
//! this never panics: if nobody reads the stream, that is no bug of ours.
//!
//! All words are cleaned and masked here, where they are written. Only data on stdout is written as it
//! is.

use std::io::{self, Write};
use std::sync::LazyLock;

use fargate_mask::SharedMasker;
use fargate_model::text::CleanLines;

/// Masks what this program writes. Its streams, its log and its panic hook are one for the process, so
/// this is too; the work for a job is handed a clone of it.
static MASKER: LazyLock<SharedMasker> = LazyLock::new(SharedMasker::default);

/// What masks the words of this program.
pub fn masker() -> &'static SharedMasker {
    &MASKER
}

/// Lines on stderr, in one write, clean and without any secret; dropped where nobody can read them.
macro_rules! tell {
    ($($words:tt)*) => {
        // Masked first: what is cut may be the middle of a secret.
        $crate::streams::to_stderr(&fargate_model::text::CleanLines::of(
            &$crate::streams::masker().text(&format!($($words)*)),
        ))
    };
}
pub(crate) use tell;

/// Writes clean lines to stderr; [`tell`] makes them.
pub fn to_stderr(lines: &CleanLines) {
    let _ = io::stderr().write_all(masker().text(lines.as_str()).as_bytes());
}

/// Writes lines to stdout, where a stage tells everything on one stream, in order.
pub fn to_job_log(words: &str) {
    let lines = CleanLines::of(&masker().text(words));
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(lines.as_str().as_bytes());
    let _ = stdout.flush();
}

/// Data on stdout, byte for byte, on which the caller's success may depend.
///
/// # Errors
///
/// If stdout takes not all of it: nobody reads it, or its disk is full.
pub fn to_stdout(data: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{data}")?;
    stdout.flush()
}

/// In words, why data was not written to stdout.
pub fn unwritten(error: io::Error) -> String {
    format!("writing to stdout: {error}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The files that write to a stream of this process or to a log. Each cleans what it writes, or
    /// passes on data or the bytes of a script.
    const WRITERS: [&str; 13] = [
        "cli/src/streams.rs",
        "cli/src/log.rs",
        // One line of our own words and a place in our source.
        "cli/src/panic.rs",
        // What clap says: help and version, and on a terminal what is wrong with the command line.
        "cli/src/command_line.rs",
        // Hands stdout to a stage, which has a log of its own for it.
        "cli/src/custom_command.rs",
        // The lines of the operator's log, which `log_line` has cleaned.
        "cli/src/log_sink.rs",
        // The frames of `tasks list --watch`, whose cells are escaped.
        "terminal/src/alternate_screen.rs",
        // Opens the screen of these frames.
        "cli/src/tasks_screen.rs",
        // A terminal is asked for its size.
        "terminal/src/size.rs",
        // Lines of progress, which the caller has cleaned.
        "terminal/src/progress_line.rs",
        // The same in several lines, on a terminal; and the cursor after a panic.
        "terminal/src/progress_region.rs",
        "cli/src/image_command/event_view.rs",
        // The script's own bytes, and lines of ours that are cleaned.
        "driver/src/session/console.rs",
    ];
    const STREAMS: [&str; 7] =
        ["stdout()", "stderr()", "println!", "eprint", "print!(", ".print()", "dbg!("];

    fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => sources(&entry, found),
                false => found.push(entry),
            }
        }
    }

    #[test]
    fn nothing_writes_to_a_stream_but_what_cleans_its_words() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        for name in [
            "cli",
            "controller",
            "driver",
            "aws",
            "registry",
            "state",
            "files",
            "mask",
            "events",
            "config",
            "efs",
            "model",
            "task-definition",
            "image-builder",
            "terminal",
            "preflight",
            "access-policy",
            "notifier",
        ] {
            sources(&crates.join(name).join("src"), &mut files);
        }
        let mut others = Vec::new();
        for file in &files {
            let text = fs::read_to_string(file).unwrap_or_default();
            let known = WRITERS.iter().any(|writer| file.ends_with(writer))
                || file.to_string_lossy().ends_with("tests.rs");
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for line in code.lines().filter(|line| !known && !is_harmless(line)) {
                others.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
        assert!(files.len() > 100 && others.is_empty(), "{others:#?}");
    }

    /// A question about a stream, and no write to it.
    fn is_harmless(line: &str) -> bool {
        let asks = line.contains("is_terminal(") || line.trim_start().starts_with("//");
        asks || !STREAMS.iter().any(|stream| line.contains(stream))
    }
}
