//! The arguments of `jobs`.

use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};

use crate::output_args::ListFormatArgs;

/// `jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    pub action: JobsAction,
}

/// What to do with the jobs of this host.
#[derive(Debug, Subcommand)]
pub enum JobsAction {
    /// List the jobs of this host, those that were cleaned up a short time ago, and where there is a history the jobs
    /// of the last 24 hours of all its hosts
    List(JobListArgs),
    /// Print what happened to one job: where its time went, why it failed, and what this host or the history
    /// knows of it; never a secret
    Show(JobShowArgs),
    /// Say why a job waits or why it failed, and what to do about it
    Why(JobWhyArgs),
    /// Print the audit log of the history: each launch, its end, and the tasks and hosts that people stopped, paused,
    /// drained or resumed, on the page or by a command; `-o ndjson` exports it
    Audit(JobAuditArgs),
    /// Print what the containers of the job's task wrote to CloudWatch Logs; what the job's scripts
    /// write is in the job's own log
    Logs(JobLogArgs),
    /// Open a shell in the task of a running job, or run one command there; the job goes on
    Shell(JobShellArgs),
    /// Keep the task of a running job if the job fails, so that a person can look into it
    Hold(JobHoldArgs),
    /// Stop a task that is kept, before its time is over
    Release(JobName),
}

/// `jobs list`.
#[derive(Debug, Args)]
pub struct JobListArgs {
    /// Of the history, list the jobs that were received since then, at most 1,000: a length of time before now, such
    /// as `7d`, or a moment in UTC, such as `2026-12-01` [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = SinceTime::parse)]
    pub since: Option<SinceTime>,
    #[command(flatten)]
    pub output: ListFormatArgs,
}

/// A job.
#[derive(Debug, Args)]
pub struct JobName {
    /// The job as `jobs list` names it, for example `gl-4411`, or the beginning of its key
    #[arg(value_name = "JOB")]
    pub job: String,
}

/// `jobs show`.
#[derive(Debug, Args)]
pub struct JobShowArgs {
    #[command(flatten)]
    pub name: JobName,
    #[command(flatten)]
    pub output: ListFormatArgs,
    /// Also print what the processes of the job told, line by line
    #[arg(long)]
    pub events: bool,
    /// Show this try of the job instead of the last one
    #[arg(long = "try", value_name = "NUMBER")]
    pub attempt: Option<u32>,
}

/// `jobs why`.
#[derive(Debug, Args)]
pub struct JobWhyArgs {
    #[command(flatten)]
    pub name: JobName,
    #[command(flatten)]
    pub output: ListFormatArgs,
}

/// `jobs audit`.
#[derive(Debug, Args)]
pub struct JobAuditArgs {
    /// Only entries since then: a length of time before now, such as `7d`, or a moment in UTC, such as
    /// `2026-12-01` or `2026-12-01T08:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = SinceTime::parse)]
    pub since: Option<SinceTime>,
    /// Instead of printing entries, check that none was changed and none is missing
    #[arg(long, conflicts_with = "since")]
    pub verify: bool,
    #[command(flatten)]
    pub output: ListFormatArgs,
}

/// From when on entries are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinceTime {
    /// So long before now.
    Ago(Duration),
    /// This moment.
    Moment(SystemTime),
}

impl SinceTime {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(ago) = humantime::parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        let midnight = format!("{text}T00:00:00Z");
        let moment =
            [text, &midnight].into_iter().find_map(|text| humantime::parse_rfc3339(text).ok());
        moment.map(Self::Moment).ok_or_else(|| {
            "allowed: a length of time such as `7d`, or a moment such as `2026-12-01` or \
             `2026-12-01T08:00:00Z`"
                .to_owned()
        })
    }

    /// The moment, if it is `now`.
    pub fn moment(self, now: SystemTime) -> SystemTime {
        match self {
            Self::Ago(ago) => {
                now.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH).max(SystemTime::UNIX_EPOCH)
            }
            Self::Moment(moment) => moment,
        }
    }
}

/// `jobs logs`.
#[derive(Debug, Args)]
pub struct JobLogArgs {
    #[command(flatten)]
    pub name: JobName,
    /// Go on until the task has ended
    #[arg(long, short)]
    pub follow: bool,
}

/// `jobs shell`.
#[derive(Debug, Args)]
pub struct JobShellArgs {
    #[command(flatten)]
    pub name: JobName,
    /// A command and its arguments instead of a shell, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `jobs hold`.
#[derive(Debug, Args)]
pub struct JobHoldArgs {
    #[command(flatten)]
    pub name: JobName,
    /// Keep the task for so long after the failure, for example `30m` [default: as long as
    /// `job_max_hold` of the profile allows]
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub time: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_length_before_now_or_a_moment() {
        let now = humantime::parse_rfc3339("2026-12-08T00:00:00Z").unwrap();
        let moment = |text: &str| SinceTime::parse(text).map(|since| since.moment(now));
        let expected = humantime::parse_rfc3339("2026-12-01T00:00:00Z").unwrap();
        for text in ["7d", "168h", "2026-12-01", "2026-12-01T00:00:00Z"] {
            assert_eq!(moment(text), Ok(expected), "{text}");
        }
        assert_eq!(moment("9000000h"), Ok(SystemTime::UNIX_EPOCH));
        for text in ["", "yesterday", "01.12.2026", "7"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
