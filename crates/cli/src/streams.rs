//! Words on this process's own streams. Unlike the standard macros it never panics: a reader that
//! is gone is no bug of ours.

use std::io::{self, Write};

use fargate_driver::mask;

/// One line on stderr, in one write, without any secret; dropped where nobody can read it.
macro_rules! tell {
    ($($words:tt)*) => {
        $crate::streams::to_stderr(&format!($($words)*))
    };
}
pub(crate) use tell;

/// See [`tell`].
pub fn to_stderr(words: &str) {
    let _ = io::stderr().write_all(format!("{}\n", mask::text(words)).as_bytes());
}

/// Lines on stdout, which the caller's success may depend on.
///
/// # Errors
///
/// The operating system's.
pub fn to_stdout(words: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{words}")?;
    stdout.flush()
}
