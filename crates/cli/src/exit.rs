//! How a command that is no stage of a job ends, as an exit code. The stages have codes of their own,
//! which gitlab-runner names.

use std::process::ExitCode;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandExit {
    /// All that was asked for is done, or was so already.
    Done,
    /// Part of it is done; what is not was told.
    Partly,
    /// Nothing is done: the configuration, the state folder, or somebody else who is at it.
    Not,
    /// What was waited for did not come in time.
    TooLate,
    /// A signal ended the wait: 128 + SIGINT.
    Interrupted,
}

impl CommandExit {
    /// The code; 2 stays clap's, for a command line that makes no sense.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Partly | Self::Not | Self::TooLate => 1,
            Self::Interrupted => 130,
        }
    }
}

impl From<CommandExit> for ExitCode {
    fn from(exit: CommandExit) -> Self {
        Self::from(exit.code())
    }
}
