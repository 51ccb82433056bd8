//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use fargate_config::{ChoiceFlags, FlagError, FlagOverrides};
use fargate_terminal::OutputFormat;

use crate::check_args::CheckArgs;
use crate::efs_args::EfsArgs;
use crate::iam_policy_args::IamPolicyArgs;
use crate::image_command::ImageArgs;
use crate::jobs_args::JobsArgs;
use crate::output_args::{FormatArgs, ListFormatArgs};
use crate::serve_args::StatusServeArgs;

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
    /// Read this configuration file [default: the file that `FARGATE_RUNNER_CONFIG` names, else
    /// /etc/fargate-runner/config.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use this profile of the configuration file
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Log each AWS call, and write the log to stderr as well; a job with a configuration file of
    /// GitLab's driver writes no log to stderr
    #[arg(long, global = true)]
    pub debug: bool,
    /// Log at this level, whatever the configuration file says
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Log to this file, whatever the configuration file says
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Write each line of the log in this format, whatever the configuration file says
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Use this task definition, whatever the configuration file says
    #[arg(long, global = true, value_name = "FAMILY[:REVISION]")]
    pub task_def: Option<String>,
    /// Use this Fargate platform version, whatever the configuration file says
    #[arg(long, global = true, value_name = "VERSION")]
    pub platform_version: Option<String>,
    /// The program was called by the name of GitLab's driver, which looks for its file in the working
    /// directory.
    #[arg(skip)]
    pub called_as_theirs: bool,
}

impl GlobalFlags {
    /// The values of the flags, which go before the values of the file.
    ///
    /// # Errors
    ///
    /// The first flag whose value is not allowed.
    pub fn overrides(&self) -> Result<FlagOverrides, FlagError> {
        FlagOverrides::default()
            .log_file(self.log_file.clone())
            .log_level(self.log_level.as_deref())?
            .log_format(self.log_format.as_deref())?
            .task_definition(self.task_def.as_deref())?
            .platform_version(self.platform_version.as_deref())
    }

    /// Which of the settings that a job may choose are decided by a flag.
    pub fn choice_flags(&self) -> ChoiceFlags {
        let is_given = |flag: &Option<String>| flag.as_ref().is_some_and(|value| !value.is_empty());
        ChoiceFlags {
            task_definition: is_given(&self.task_def),
            platform_version: is_given(&self.platform_version),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum RunnerCommand {
    /// Run one stage of a job, as gitlab-runner's custom executor asks [short: c]
    Custom(CustomArgs),
    /// Write, check, show or import the configuration file
    Config(ConfigArgs),
    /// Check whether the account is as jobs will need it: rights, network, storage, registry, quotas
    Check(CheckArgs),
    /// Run one command in a new task
    Exec(ExecArgs),
    /// List and show the jobs of this host, read a job's log, open a shell in a job's task
    Jobs(JobsArgs),
    /// Look after the tasks of this host
    Tasks(TasksArgs),
    /// Write, show or test the secret with the login of the image's registry
    RegistrySecret(RegistrySecretArgs),
    /// Render, register, compare, list or prune the task definitions that profiles with `image` make
    TaskDefinition(DefinitionArgs),
    /// Plan, make or show what the volumes of the configuration need on EFS, with an administrator's
    /// credentials
    Efs(EfsArgs),
    /// Print the IAM policy that allows what this program does with the configuration, and nothing else
    IamPolicy(IamPolicyArgs),
    /// Check and build the images of jobs that the configuration file describes
    Image(ImageArgs),
    /// Serve the page and the API: what runs, what waits and why, what failed, how long starts take
    Serve(StatusServeArgs),
    /// Take no new jobs; they wait in `prepare`, and running jobs continue
    Pause(PauseArgs),
    /// Take no new jobs, and wait until no job is left on this host
    Drain(DrainArgs),
    /// Take new jobs again after `pause` or `drain`
    Resume,
    /// Print a script by which a shell completes the commands and flags of this program
    Completion(CompletionArgs),
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
    /// Print what gitlab-runner must know about the job, as JSON [short: co]
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
    /// The script file and the name of the stage; any name is accepted, and so are more arguments,
    /// which a later gitlab-runner may add
    // One list, because nothing after the script is a flag of ours, not even a stage `--help`.
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
    /// Write the default file, with a comment for each key
    Init,
    /// Check the file, and report every problem
    Check,
    /// Print the settings that are in force
    Show,
    /// Print the settings of a file of GitLab's Fargate driver as a file of Fargate Runner
    Import(ImportArgs),
    /// Write the file from the outputs of the stack of infrastructure/
    ImportStack(ImportStackArgs),
}

/// `config import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The configuration file of GitLab's Fargate driver
    pub old: PathBuf,
}

/// `config import-stack`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub struct ImportStackArgs {
    /// The name of the stack in CloudFormation, which is asked for its outputs
    #[arg(value_name = "STACK", group = "source")]
    pub stack: Option<String>,
    /// Read the outputs from this file instead: what `aws cloudformation describe-stacks` or
    /// `terraform output -json` prints; `-` is standard input
    #[arg(long, value_name = "FILE", group = "source")]
    pub outputs: Option<PathBuf>,
    /// The Region of the stack [default: that of the environment]
    #[arg(long, value_name = "REGION", conflicts_with = "outputs")]
    pub region: Option<String>,
    /// Replace a configuration file that is there already
    #[arg(long)]
    pub force: bool,
}

/// `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// CPU units of the task; 1024 units are one vCPU
    #[arg(long, value_name = "UNITS")]
    pub cpu: Option<u32>,
    /// Memory of the task, in MiB
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// Run this script instead of a command; `-` reads it from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub script: Option<PathBuf>,
    /// Print errors only, beside the command's own output
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
    /// or of `--profile`; with `--cluster`, stop the tasks of hosts that are gone
    Reap(ReapArgs),
    /// List the live tasks of this host, with the job of each
    List(TaskListArgs),
    /// Stop one task of this host; its job ends as a system failure
    Stop(TaskStopArgs),
}

/// `tasks list`.
#[derive(Debug, Args)]
pub struct TaskListArgs {
    /// Print the list again whenever it changes: on a terminal in place, else one JSON line for each
    /// change
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub output: ListFormatArgs,
}

/// `tasks stop`.
#[derive(Debug, Args)]
pub struct TaskStopArgs {
    /// The task, by the beginning of its id or by its ARN, or the job, as `jobs list` names it
    #[arg(value_name = "TASK|JOB")]
    pub name: String,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: ShellName,
}

/// The shells that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ShellName {
    /// GNU Bash
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// `tasks reap`.
#[derive(Debug, Args)]
pub struct ReapArgs {
    /// Report what would be stopped; change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Look at the tasks of all hosts in these clusters instead, and stop those whose deadline, which
    /// a tag of the task tells, passed more than an hour ago
    #[arg(long)]
    pub cluster: bool,
    /// Print the result in this format [default: a table on a terminal, else JSON]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
}

/// `registry-secret`.
#[derive(Debug, Args)]
pub struct RegistrySecretArgs {
    /// Use this secret, by its name or ARN, instead of `registry_secret` of the profile
    #[arg(long, global = true, value_name = "SECRET")]
    pub secret: Option<String>,
    #[command(subcommand)]
    pub action: RegistrySecretAction,
}

/// What to do with the secret.
#[derive(Debug, Subcommand)]
pub enum RegistrySecretAction {
    /// Create the secret, or give it another login; the password is asked for, never an argument
    Set(SecretSetArgs),
    /// Print name, ARN, user, last change and version; never the password
    Show(SecretShowArgs),
    /// Log in to the registry with it and ask for the image of the profile
    Test,
}

/// `registry-secret set`.
#[derive(Debug, Args)]
pub struct SecretSetArgs {
    /// The user at the registry
    #[arg(value_name = "USER")]
    pub user: String,
    /// Read the password from standard input, without its last line break
    #[arg(long)]
    pub password_stdin: bool,
}

/// `registry-secret show`.
#[derive(Debug, Args)]
pub struct SecretShowArgs {
    /// Print the result in this format [default: a table on a terminal, else JSON]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
}

/// `task-definition`.
#[derive(Debug, Args)]
pub struct DefinitionArgs {
    #[command(subcommand)]
    pub action: DefinitionAction,
}

/// What to do with the task definitions of the profile.
#[derive(Debug, Subcommand)]
pub enum DefinitionAction {
    /// Print the task definition of the profile, as `aws ecs register-task-definition
    /// --cli-input-json` takes it; nothing is registered
    Render(FolderArgs),
    /// Register the task definition of the profile, if ECS does not have it, and print its ARN
    Register(RegisterArgs),
    /// Print how the task definition of the profile differs from a registered one
    Diff(DiffArgs),
    /// List the revisions of the profile's family
    List(FormatArgs),
    /// Remove the revisions of the profile's family that Fargate Runner made and nobody needs
    Prune(PruneArgs),
}

/// Whose folders the task definition mounts.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// Mount the folders of this project, where a volume has one for each
    #[arg(long, value_name = "GROUP/PROJECT")]
    pub project: Option<String>,
    /// Mount the folders of its protected branches and tags
    #[arg(long, requires = "project")]
    pub protected: bool,
}

/// `task-definition register`.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    #[command(flatten)]
    pub folders: FolderArgs,
    #[command(flatten)]
    pub output: FormatArgs,
}

/// `task-definition diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Compare with this one [default: the newest active revision of the profile's family]
    #[arg(long, value_name = "FAMILY[:REVISION]")]
    pub with: Option<String>,
    #[command(flatten)]
    pub folders: FolderArgs,
    #[command(flatten)]
    pub output: FormatArgs,
}

/// `task-definition prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Report what would be removed; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove what was not used for so long, for example `30days` [default:
    /// `timeouts.definition_retention` of the configuration file]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub unused_for: Option<std::time::Duration>,
    #[command(flatten)]
    pub output: FormatArgs,
}

/// `pause`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// Why; jobs that wait show this text
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
    /// How long to wait for the jobs on this host, for example `90m`
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
