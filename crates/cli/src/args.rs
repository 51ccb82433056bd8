//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use fargate_config::{FlagError, FlagOverrides};

/// Runs CI jobs as private AWS Fargate tasks.
#[derive(Debug, Parser)]
#[command(name = "fargate-runner", version, max_term_width = 100)]
pub struct RunnerCli {
    #[command(flatten)]
    pub global: GlobalFlags,
    #[command(subcommand)]
    pub command: RunnerCommand,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct GlobalFlags {
    /// The configuration file [default: `FARGATE_RUNNER_CONFIG`, else /etc/fargate-runner/config.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The profile of the configuration file
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Log each AWS call, and write the log to stderr as well (in a job, not with a file of GitLab's
    /// driver)
    #[arg(long, global = true)]
    pub debug: bool,
    /// How much is logged, instead of what the file says
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Where to log, instead of what the file says
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// How a line of the log is written, instead of what the file says
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// The task definition, instead of what the file says
    #[arg(long, global = true, value_name = "FAMILY[:REVISION]")]
    pub task_def: Option<String>,
    /// The Fargate platform version, instead of what the file says
    #[arg(long, global = true, value_name = "VERSION")]
    pub platform_version: Option<String>,
    /// Called by the name of GitLab's driver, which looks for its file in the working directory.
    #[arg(skip)]
    pub called_as_theirs: bool,
}

impl GlobalFlags {
    /// What the flags say over what the file says.
    ///
    /// # Errors
    ///
    /// The first flag with a value that it cannot have.
    pub fn overrides(&self) -> Result<FlagOverrides, FlagError> {
        FlagOverrides::default()
            .log_file(self.log_file.clone())
            .log_level(self.log_level.as_deref())?
            .log_format(self.log_format.as_deref())?
            .task_definition(self.task_def.as_deref())?
            .platform_version(self.platform_version.as_deref())
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum RunnerCommand {
    /// The stages that gitlab-runner's custom executor calls [short: c]
    Custom(CustomArgs),
    /// The configuration file
    Config(ConfigArgs),
    /// Run one command in one fresh task
    Exec(ExecArgs),
    /// The tasks of this host
    Tasks(TasksArgs),
    /// Take no new jobs: they wait in `prepare`, those that run go on
    Pause(PauseArgs),
    /// Take no new jobs, and wait until none is left on this host
    Drain(DrainArgs),
    /// Take new jobs again, after `pause` or `drain`
    Resume,
}

/// `custom`.
#[derive(Debug, Args)]
pub struct CustomArgs {
    #[command(subcommand)]
    pub stage: CustomStage,
}

/// A stage of the custom executor.
#[derive(Debug, Subcommand)]
pub enum CustomStage {
    /// Tell gitlab-runner what it must know, as JSON [short: co]
    Config,
    /// Start the job's task and wait until its agent answers [short: p]
    Prepare,
    /// Run one generated script in the job's task [short: r]
    Run(RunArgs),
    /// Stop the job's task [short: cl]
    Cleanup,
}

/// What gitlab-runner appends to `run_args`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The script file and the name of the stage; every name is accepted, and whatever a later
    /// gitlab-runner may add
    // One list, because from the script on nothing is a flag of ours: not even a stage `--help`.
    #[arg(value_names = ["SCRIPT", "STAGE"], num_args = 2.., required = true, trailing_var_arg = true)]
    given: Vec<OsString>,
}

impl RunArgs {
    /// The script file.
    pub fn script(&self) -> &Path {
        Path::new(&self.given[0])
    }

    /// The name of the stage.
    pub fn stage(&self) -> &OsStr {
        &self.given[1]
    }
}

/// `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What to do with the configuration file.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Write the commented default file
    Init,
    /// Check the file and name every problem
    Check,
    /// Print the settings that are in force
    Show,
    /// Print the settings of a file of GitLab's Fargate driver in our own grammar
    Import(ImportArgs),
}

/// `config import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file of GitLab's driver
    pub old: PathBuf,
}

/// `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// CPU units of the task; 1024 are one vCPU
    #[arg(long, value_name = "UNITS")]
    pub cpu: Option<u32>,
    /// Memory of the task in MiB
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// Run this script instead of a command; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub script: Option<PathBuf>,
    /// Nothing of our own on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// The command and its arguments, after `--`
    #[arg(last = true, required_unless_present = "script")]
    pub command: Vec<String>,
}

/// `tasks`.
#[derive(Debug, Args)]
pub struct TasksArgs {
    #[command(subcommand)]
    pub action: TasksAction,
}

/// What to do with the tasks of this host.
#[derive(Debug, Subcommand)]
pub enum TasksAction {
    /// Stop the tasks of this host that no job needs any more, once, in the clusters of all profiles
    /// or of `--profile`; with `--cluster` those of hosts that are gone
    Reap(ReapArgs),
}

/// `tasks reap`.
#[derive(Debug, Args)]
pub struct ReapArgs {
    /// Look as often as otherwise, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Instead: the tasks of all hosts in these clusters whose deadline, by the tag that they carry, was
    /// over more than an hour ago
    #[arg(long)]
    pub cluster: bool,
    /// How it is shown [default: a table on a terminal, else JSON]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
}

/// How data is written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Table,
    /// One document.
    Json,
    /// One line each, without a head.
    Tsv,
}

/// `pause`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// Why; jobs that wait show it
    #[arg(
        long,
        alias = "reason",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub note: String,
}

/// `drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
    #[command(flatten)]
    pub hold: PauseArgs,
    /// How long to wait for the jobs that are here, as in `90m`
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    pub timeout: std::time::Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        RunnerCli::command().debug_assert();
    }

    #[test]
    fn the_profile_may_stand_among_the_arguments_of_each_stage() {
        let line =
            "fargate-runner custom run --profile big -c /x.toml /tmp/script build_script more";
        let cli = RunnerCli::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(cli.global.profile.as_deref(), Some("big"));
        let RunnerCommand::Custom(CustomArgs { stage: CustomStage::Run(run) }) = cli.command else {
            panic!("not run")
        };
        assert_eq!(run.script(), "/tmp/script");
        assert_eq!(run.stage(), "build_script");
    }

    #[test]
    fn a_stage_may_have_any_name() {
        for stage in ["step_release", "", "$(reboot)", "../../x", "a b", "-", "--", "-h", "--help"]
        {
            let line = ["fargate-runner", "custom", "run", "/tmp/script", stage];
            let cli = RunnerCli::try_parse_from(line).unwrap();
            let RunnerCommand::Custom(CustomArgs { stage: CustomStage::Run(run) }) = cli.command
            else {
                panic!("not run")
            };
            assert_eq!(run.stage(), stage);
        }
    }
}
