//! How the program ends, as an exit code. [`CommandExit::code`] chooses the code of every command but a
//! stage of a job, whose code comes from the driver and is passed on.

use std::process::ExitCode;

use crate::panic;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandExit {
    /// All that was asked for is done, or was done before.
    Done,
    /// A part of it is done; the command has told what is not.
    Partly,
    /// Nothing is done, because of the configuration, the state folder, or another command at work.
    NothingDone,
    /// What the command waited for did not come in time.
    TooLate,
    /// A signal ended the command.
    Interrupted,
    /// `check`: a check fails.
    CheckFailed,
    /// `check`: no check fails, and something is not known.
    CouldNotTell,
    /// The command line makes no sense.
    Usage,
    /// A stage of a job ended with this code. gitlab-runner names the codes of failures.
    Stage(u8),
    /// `exec` and `jobs shell`: the command in the task ended with this status.
    Command(u8),
    /// `image`: the code of what went wrong, one for each kind of cause.
    Image(u8),
    /// `exec` and `jobs shell`: no exit status of the command arrived. It may have run.
    NoStatus,
    /// `jobs shell`: the connection to the task is lost. Job and command may still run.
    ConnectionLost,
}

impl CommandExit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Partly | Self::NothingDone | Self::TooLate | Self::CheckFailed => 1,
            Self::CouldNotTell => 2,
            // 128 + SIGINT, as of a shell.
            Self::Interrupted => 130,
            // 2 is clap's own. Where gitlab-runner calls, a wrong line is not the fault of the job.
            Self::Usage => panic::system_code().unwrap_or(2),
            Self::Stage(code) | Self::Command(code) | Self::Image(code) => code,
            // As of `docker run`.
            Self::NoStatus => 125,
            // As of `ssh`.
            Self::ConnectionLost => 255,
        }
    }
}

impl From<CommandExit> for ExitCode {
    fn from(exit: CommandExit) -> Self {
        Self::from(exit.code())
    }
}
