//! Points behind every step that changes the world outside this process, at which a test may end
//! it: by SIGKILL, as a host that dies, by SIGTERM, as a job that is cancelled, or by a panic, as by
//! a bug of ours.
//!
//! A release binary has none. What follows from an end is no business of this module.

/// The signal, or `PANIC`, and the number of the point, such as `KILL 7`: it comes behind the seventh
/// point that is reached.
pub const END_AT: &str = "FARGATE_RUNNER_END_AT";
/// A file to which the name of each reached point is appended.
pub const REACHED: &str = "FARGATE_RUNNER_REACHED";

/// A step that has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailPoint {
    /// A new file lies beside the one that it will replace.
    FileWritten,
    /// A file is in its place, its folder not synced yet.
    FileRenamed,
    /// A file was removed.
    FileRemoved,
    /// RunTask was answered, and nothing of that is written down.
    RunTaskAnswered,
    /// The host is proven, and somebody is logged in.
    LoggedIn,
    /// The task knows how long it may live.
    TermsGiven,
    /// The script is on its way, whole.
    ScriptSent,
    /// The script was heard to have started.
    ScriptStarted,
    /// The script's ending was heard.
    ScriptEnded,
    /// The exit code lies in the file that gitlab-runner named.
    ExitCodeWritten,
    /// StopTask was answered.
    StopTaskAnswered,
}

impl FailPoint {
    /// Tells that this point is reached.
    #[cfg(not(debug_assertions))]
    #[inline]
    pub fn reached(self) {}

    /// Tells that this point is reached.
    #[cfg(debug_assertions)]
    pub fn reached(self) {
        debug::reached(self);
    }
}

#[cfg(debug_assertions)]
mod debug {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use nix::sys::signal::{Signal, raise};

    use super::{END_AT, FailPoint, REACHED};

    static COUNT: AtomicUsize = AtomicUsize::new(0);

    pub fn reached(point: FailPoint) {
        let number = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(path) = std::env::var_os(REACHED) {
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
            let told = opened.and_then(|mut file| writeln!(file, "{point:?}"));
            told.expect("the file of the points can be written");
        }
        let Ok(end) = std::env::var(END_AT) else { return };
        let (signal, at) = end.split_once(' ').expect("a signal and a number");
        if at.parse() == Ok(number) {
            assert!(signal != "PANIC", "the test asked for it");
            let signal: Signal = format!("SIG{signal}").parse().expect("the name of a signal");
            raise(signal).expect("a process may signal itself");
        }
    }
}
