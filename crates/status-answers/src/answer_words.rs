//! How moments, money and states are written in answers.

use std::time::Duration;

use fargate_events::StageVerdict;
use fargate_job_journal::{JobState, JobVerdict};
use fargate_model::text::duration;

use crate::{JobStateWord, JobVerdictWord};

/// Statuses above are those of signals. Source: POSIX.1-2024, Shell Command Language, 2.8.2.
const SIGNAL_BASE: u8 = 128;

/// A length in milliseconds.
#[must_use]
pub fn length(ms: u64) -> String {
    duration(Duration::from_millis(ms))
}

/// The time of day of a moment, UTC: `14:20:03`.
#[must_use]
pub fn time_of_day(ms: u64) -> String {
    let second = ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// The same with milliseconds: `14:20:03.114`.
#[must_use]
pub fn exact_time_of_day(ms: u64) -> String {
    format!("{}.{:03}", time_of_day(ms), ms % 1000)
}

/// What an exit status above 128 means: `128 + 9: ended by SIGKILL`.
#[must_use]
pub fn exit_meaning(exit: u8) -> Option<String> {
    let number = exit.checked_sub(SIGNAL_BASE).filter(|number| *number > 0)?;
    let signal = fargate_model::task::signal_name(number)?;
    Some(format!("{SIGNAL_BASE} + {number}: ended by {signal}"))
}

/// The word of a verdict on a stage.
#[must_use]
pub fn stage_verdict(verdict: StageVerdict) -> &'static str {
    match verdict {
        StageVerdict::Passed => "passed",
        StageVerdict::Failed => "failed",
        StageVerdict::SystemFailure => "system failure",
        StageVerdict::Cancelled => "cancelled",
        StageVerdict::TimedOut => "timed out",
    }
}

/// A text with its first letter in upper case.
#[must_use]
pub fn titled(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl JobVerdictWord {
    /// Two words at most, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::SystemFailure => "system failure",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
        }
    }
}

impl JobStateWord {
    /// One word, for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
        }
    }
}

impl From<JobState> for JobStateWord {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Waiting => Self::Waiting,
            JobState::Starting => Self::Starting,
            JobState::Running => Self::Running,
            JobState::Stopping => Self::Stopping,
            JobState::Finished => Self::Finished,
        }
    }
}

impl From<JobVerdict> for JobVerdictWord {
    fn from(verdict: JobVerdict) -> Self {
        match verdict {
            JobVerdict::Passed => Self::Passed,
            JobVerdict::Failed => Self::Failed,
            JobVerdict::SystemFailure => Self::SystemFailure,
            JobVerdict::TimedOut => Self::TimedOut,
            JobVerdict::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_utc() {
        assert_eq!(time_of_day(1_796_083_203_114), "00:00:03");
        assert_eq!(exact_time_of_day(1_796_083_203_114), "00:00:03.114");
    }

    #[test]
    fn an_exit_status_of_a_signal_names_it() {
        assert_eq!(exit_meaning(137).as_deref(), Some("128 + 9: ended by SIGKILL"));
        assert_eq!((exit_meaning(3), exit_meaning(128), exit_meaning(255)), (None, None, None));
    }
}
