//! `task-definition`: the task definitions that profiles with `image` make. Data on stdout, words on stderr.

use std::time::Duration;

use fargate_aws::AwsAccount;
use fargate_config::{
    DefinitionSource, JobProfile, LoadedConfig, RunnerConfig, StorageVolume, UnknownKeyPolicy,
    VolumeAccess, VolumeSeparation,
};
use fargate_driver::task::ChannelProfile;
use fargate_efs::resolved_profile;
use fargate_model::cause::CauseReport;
use fargate_model::text::{error_chain, escape};
use fargate_task_definition::{DefinitionError, DefinitionSite, RevisionOrigin};
use fargate_terminal::{OutputFormat, stdout_size};
use tokio::time::Instant;

use crate::args::{
    DefinitionAction, DefinitionArgs, DiffArgs, FolderArgs, GlobalFlags, PruneArgs, RegisterArgs,
};
use crate::exit::CommandExit;
use crate::output_args::FormatArgs;
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::{config_command, definition_output as output, log};

/// How many times longer than one call a whole command may take: most lists have some hundred revisions, of
/// which ECS describes 20 a second, and one a second is removed.
const CALLS: u32 = 30;

/// Runs one action.
pub fn run(global: &GlobalFlags, args: &DefinitionArgs) -> CommandExit {
    perform(global, args).unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

fn perform(global: &GlobalFlags, args: &DefinitionArgs) -> Result<CommandExit, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let profile = config.profile(global.profile.as_deref()).map_err(|error| error.to_string())?;
    if let DefinitionSource::Fixed(name) = profile.definition() {
        let error = DefinitionError::Fixed { name: name.to_owned() };
        return Err(format!(
            "{error}\nhint: choose a profile with `image`: `fargate-runner --profile NAME \
             task-definition ...`"
        ));
    }
    let (limit, retention) =
        (profile.timeouts.aws_call * CALLS, profile.timeouts.definition_retention);
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "task-definition".into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    runtime.block_on(async {
        let ChannelProfile { profile, warning, .. } =
            ChannelProfile::of(&profile).map_err(|why| in_words(&why))?;
        if let Some(warning) = warning {
            tell!("warning: {warning}");
        }
        let profile = match &args.action {
            // What `prepare` would register, and so with the digest that the image has now.
            DefinitionAction::Register(RegisterArgs { folders, .. })
            | DefinitionAction::Diff(DiffArgs { folders, .. }) => {
                let pinned = fargate_registry::pinned_on_host(&profile, masker()).await;
                let pinned = pinned.map_err(|why| in_words(&why))?;
                with_access_points(pinned, folders, Instant::now() + limit).await?
            }
            DefinitionAction::Render(folders) => {
                with_access_points(profile, folders, Instant::now() + limit).await?
            }
            // A list is of use without the registry, too.
            DefinitionAction::List(_) => {
                match fargate_registry::pinned_on_host(&profile, masker()).await {
                    Ok(pinned) => pinned,
                    Err(why) => {
                        tell!("warning: none is marked as current: {}", in_words(&why));
                        profile
                    }
                }
            }
            DefinitionAction::Prune(_) => profile,
        };
        let site = DefinitionSite::open(profile, &config.state_dir, masker()).await;
        let site = site.map_err(|error| error_chain(&error))?;
        let command = DefinitionCommand { site, config: &config, deadline: Instant::now() + limit };
        match &args.action {
            DefinitionAction::Render(_) => command.render(),
            DefinitionAction::Register(register) => command.register(&register.output).await,
            DefinitionAction::Diff(diff) => command.diff(diff).await,
            DefinitionAction::List(format) => command.list(format).await,
            DefinitionAction::Prune(prune) => command.prune(prune, retention).await,
        }
    })
}

/// The profile with the access points of its volumes. Only volumes whose access points `efs apply` makes
/// are looked up.
async fn with_access_points(
    profile: JobProfile,
    folders: &FolderArgs,
    deadline: Instant,
) -> Result<JobProfile, String> {
    let is_separate =
        |volume: &StorageVolume| volume.access() == VolumeAccess::Made(VolumeSeparation::Project);
    let made = |volume: &StorageVolume| matches!(volume.access(), VolumeAccess::Made(_));
    if !profile.storage.iter().any(made) {
        return Ok(profile);
    }
    let separate = profile.storage.iter().find(|volume| is_separate(volume));
    if let (Some(volume), None) = (separate, &folders.project) {
        return Err(format!(
            "the volume `{}` has a folder for each project, so each project has a task definition of its \
             own\nhint: name one by `--project group/project`; add `--protected` for its protected \
             branches and tags",
            volume.name
        ));
    }
    let account = AwsAccount::open(profile.region.clone(), &profile, masker()).await;
    let account = account.map_err(|why| in_words(&why))?;
    let (project, is_protected) = (folders.project.as_deref(), folders.protected);
    resolved_profile(&profile, &account, project, is_protected, deadline)
        .await
        .map_err(|error| error_chain(&error))
}

/// One call of the command.
struct DefinitionCommand<'a> {
    site: DefinitionSite,
    config: &'a RunnerConfig,
    deadline: Instant,
}

impl DefinitionCommand<'_> {
    fn render(&self) -> Result<CommandExit, String> {
        let rendered = self.site.rendered().map_err(|error| error_chain(&error))?;
        print(&output::pretty(rendered.input()))?;
        Ok(CommandExit::Done)
    }

    async fn register(&self, args: &FormatArgs) -> Result<CommandExit, String> {
        let registered = self.site.register(self.deadline).await;
        let registered = registered.map_err(|error| error_chain(&error))?;
        print(&match OutputFormat::or_default(args.format) {
            OutputFormat::Json => output::registered_json(&registered),
            OutputFormat::Table | OutputFormat::Tsv => registered.arn.clone(),
        })?;
        tell!(
            "{}",
            match registered.origin {
                RevisionOrigin::Registered => "registered now",
                RevisionOrigin::Found => "ECS had it already",
                RevisionOrigin::Known => "this host registered or found it before",
            }
        );
        Ok(CommandExit::Done)
    }

    async fn diff(&self, args: &DiffArgs) -> Result<CommandExit, String> {
        let compared = self.site.compare(args.with.as_deref(), self.deadline).await;
        let compared = compared.map_err(|error| error_chain(&error))?;
        let text = match OutputFormat::or_default(args.output.format) {
            OutputFormat::Table => output::difference_lines(&compared),
            OutputFormat::Json => output::difference_json(&compared),
            OutputFormat::Tsv => output::difference_tsv(&compared),
        };
        print(&text)?;
        match (&compared.revision, compared.differences.len()) {
            (None, _) => tell!("there is no such revision yet; `register` makes the first one"),
            (Some(revision), 0) => tell!("{revision} is what the profile makes"),
            (Some(revision), differences) => {
                let differences = counted(differences, "difference");
                tell!("{differences} from {revision}; `register` makes a new revision");
            }
        }
        Ok(CommandExit::Done)
    }

    async fn list(&self, args: &FormatArgs) -> Result<CommandExit, String> {
        let listed = self.site.list(self.deadline).await.map_err(|error| error_chain(&error))?;
        print(&match OutputFormat::or_default(args.format) {
            OutputFormat::Table => output::list_table(&listed, width()),
            OutputFormat::Json => output::list_json(&listed),
            OutputFormat::Tsv => output::list_tsv(&listed),
        })?;
        tell!("{}", counted(listed.len(), "revision"));
        Ok(CommandExit::Done)
    }

    async fn prune(&self, args: &PruneArgs, retention: Duration) -> Result<CommandExit, String> {
        let retention = args.unused_for.unwrap_or(retention);
        let pruned = self.site.prune(self.config, retention, !args.dry_run, self.deadline).await;
        let pruned = pruned.map_err(|error| error_chain(&error))?;
        print(&match OutputFormat::or_default(args.output.format) {
            OutputFormat::Table => output::prune_table(&pruned, args.dry_run, width()),
            OutputFormat::Json => output::prune_json(&pruned, args.dry_run),
            OutputFormat::Tsv => output::prune_tsv(&pruned, args.dry_run),
        })?;
        let refused = pruned.iter().filter(|pruned| pruned.refused.is_some()).count();
        let gone = pruned.iter().filter(|pruned| pruned.verdict.removes()).count() - refused;
        let would = if args.dry_run { "would be " } else { "" };
        tell!("{} {would}removed, {} stay", counted(gone, "revision"), pruned.len() - gone);
        Ok(if refused == 0 { CommandExit::Done } else { CommandExit::Partly })
    }
}

/// The headline of a cause and what is known about it.
fn in_words(why: &CauseReport) -> String {
    let evidence = why.evidence.iter().map(|evidence| escape(&evidence.to_string()));
    std::iter::once(why.headline()).chain(evidence).collect::<Vec<_>>().join("\n  ")
}

/// `1 revision`, `2 revisions`.
fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

fn width() -> Option<usize> {
    stdout_size().map(|size| size.columns)
}

fn print(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { to_stdout(text).map_err(unwritten) }
}
