//! Points after each step that changes something outside this process. At each of them a test may
//! end the process: by SIGKILL as when a host dies, by SIGTERM as when a job is cancelled, or by a
//! panic as from an error of ours.
//!
//! A release binary has no such points. What happens after the end is not decided here.

/// The signal or `PANIC`, and the number of the point. `KILL 7` ends the process at the seventh
/// point that it reaches.
pub const END_AT: &str = "FARGATE_RUNNER_END_AT";
/// A file to which the name of each reached point is appended.
pub const REACHED: &str = "FARGATE_RUNNER_REACHED";

/// A step that has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailPoint {
    /// A new file lies beside the one that it will replace.
    FileWritten,
    /// The file has its final name, but its folder is not synced yet.
    FileRenamed,
    /// A file was removed.
    FileRemoved,
    /// ECS answered RunTask, and nothing of it is written down yet.
    RunTaskAnswered,
    /// The host key is proven, and the driver is logged in.
    LoggedIn,
    /// The task knows how long it may live.
    TermsGiven,
    /// The whole script was sent.
    ScriptSent,
    /// The driver has learned that the script started.
    ScriptStarted,
    /// The driver has learned how the script ended.
    ScriptEnded,
    /// The exit code is in the file that gitlab-runner named.
    ExitCodeWritten,
    /// ECS answered StopTask.
    StopTaskAnswered,
    /// EFS answered `CreateAccessPoint`.
    AccessPointAsked,
    /// EFS has the new policy of a file system.
    StoragePolicyPut,
    /// EFS answered `CreateMountTarget`.
    MountTargetAsked,
    /// ECS answered TagResource.
    TagResourceAnswered,
    /// The agent has wiped its task and taken a new lease.
    TaskWiped,
    /// A registry has moved the tag of a channel.
    ChannelTagMoved,
    /// The Docker Engine has a new image.
    ImageBuilt,
    /// The layers of an image are in the temporary folder.
    ImageExported,
    /// A layer was searched for secrets.
    LayerSearched,
    /// The Docker Engine has the image that is going to be tested.
    TestImageLoaded,
    /// The Docker Engine has made the container of a test, which does not run yet.
    TestContainerMade,
    /// The container of a test runs.
    TestContainerStarted,
    /// A script of a test has ended.
    TestScriptEnded,
    /// A registry has begun an upload, and no byte of it was sent.
    UploadBegun,
    /// A registry has an image under its digest, and not under a tag.
    ImageStored,
    /// A registry has an image under its tag.
    ImageTagged,
    /// A registry has what is said about an image.
    ImageAttested,
    /// A command that watches has drawn the screen.
    ScreenDrawn,
}

impl FailPoint {
    /// Says that the process has reached this point.
    #[cfg(not(debug_assertions))]
    #[inline]
    pub fn reached(self) {}

    /// Says that the process has reached this point.
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
            // In one write, because threads reach points at the same moment.
            let line = format!("{point:?}\n");
            let told = opened.and_then(|mut file| file.write_all(line.as_bytes()));
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
