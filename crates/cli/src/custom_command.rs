//! `custom`: calls a stage with its environment and its streams. What a stage does is the driver's
//! business.

use std::time::SystemTime;

use fargate_config::{
    ConfigGrammar, ConfigProblem, LoadedConfig, ProfileChoice, RunnerConfig, UnknownKeyPolicy,
};
use fargate_controller::host_journals::sweep_journals;
use fargate_driver::context::{DriverSettings, JobContext, WallClock};
use fargate_driver::gitlab::{
    self, FALLBACK_CODES, JobProfileError, JobResponse, StageEnvironment, StageError,
};
use fargate_driver::session::{CancelHandle, ConsoleWriter};
use fargate_events::{EventEmitter, JobEvent};
use fargate_model::cause::{CauseReport, ColourMode, FailureCause};
use fargate_model::text::{error_chain, escape};
use fargate_state::host;
use fargate_state::{StateError, StateFolder};
use tracing::Instrument;

use crate::args::{CustomArgs, CustomStage, GlobalFlags, RunArgs};
use crate::exit::CommandExit;
use crate::journaling::journal_of;
use crate::streams::{masker, tell, to_job_log, to_stdout};
use crate::{config_command, log, signals};

/// The part of the configuration that a stage needs.
struct StageSetup {
    config: RunnerConfig,
    context: JobContext,
    /// Warnings for everyone who reads the job's log.
    warnings: Vec<ConfigProblem>,
    /// Warnings for the operator alone.
    notices: Vec<ConfigProblem>,
    /// The profile of the job, and how it was chosen.
    choice: ProfileChoice,
}

/// Runs one stage.
pub fn run(global: &GlobalFlags, custom: &CustomArgs) -> CommandExit {
    let lookup = |name: &str| std::env::var_os(name);
    let is_cleanup = matches!(custom.stage, CustomStage::Cleanup);
    let environment = match StageEnvironment::read(lookup) {
        Ok(environment) => environment,
        Err(_) if is_cleanup => StageEnvironment::read_for_cleanup(lookup),
        Err(error) => {
            say(&custom.stage, &format!("error: {error}"));
            return CommandExit::Stage(FALLBACK_CODES.system_failure);
        }
    };
    if matches!(custom.stage, CustomStage::Run(_)) {
        environment.forget_exit_code();
    }
    if let Err(error) = host::check() {
        let error = StageError::from(error);
        say(&custom.stage, &gitlab::run_line(&error).unwrap_or_default());
        return CommandExit::Stage(error.exit_code(environment.codes));
    }
    let loaded = match config_command::load(global, UnknownKeyPolicy::Warn) {
        Ok((_, loaded)) => loaded,
        Err(problems) => {
            say(&custom.stage, &format!("error: {problems}"));
            return CommandExit::Stage(environment.codes.system_failure);
        }
    };
    CommandExit::Stage(stage(global, custom, &environment, loaded))
}

/// The configuration and the profile under which this stage runs.
///
/// # Errors
///
/// The outer error are problems of the configuration. The inner one says why no profile is for the job, with
/// a setup in which that can be told and written down.
fn set_up(
    global: &GlobalFlags,
    stage: &CustomStage,
    loaded: LoadedConfig,
    response: &JobResponse,
) -> Result<(StageSetup, Option<CauseReport>), String> {
    let LoadedConfig { config, warnings, notices } = loaded;
    let (named, key) = (global.profile.as_deref(), response.identity.key());
    let recorded = match stage {
        CustomStage::Run(_) | CustomStage::Cleanup => {
            gitlab::recorded_profile(&config, named, &key)
        }
        CustomStage::Config | CustomStage::Prepare => None,
    };
    let chosen = match recorded {
        Some(profile) => Ok(ProfileChoice { profile, skipped: Vec::new(), is_of_image: false }),
        None => gitlab::chosen_profile(&config, named, response),
    };
    let (choice, refused) = match chosen {
        Ok(choice) => (choice, None),
        Err(JobProfileError::Config(problems)) => return Err(problems.to_string()),
        Err(JobProfileError::Refused(why)) => {
            // Some profile gives the deadlines of what is left to do.
            let any = gitlab::any_profile(&config, named).ok_or_else(|| why.headline())?;
            let choice = ProfileChoice { profile: any, skipped: Vec::new(), is_of_image: false };
            (choice, Some(*why))
        }
    };
    let settings = DriverSettings {
        owner: config.owner.clone(),
        state_dir: config.state_dir.clone(),
        profile: choice.profile.clone(),
        hold: None,
    };
    let context = JobContext {
        settings,
        masker: masker().clone(),
        cancel: CancelHandle::never(),
        clock: WallClock::system(),
        events: EventEmitter::tracing(),
    };
    Ok((StageSetup { config, context, warnings, notices, choice }, refused))
}

fn stage(
    global: &GlobalFlags,
    custom: &CustomArgs,
    environment: &StageEnvironment,
    loaded: LoadedConfig,
) -> u8 {
    let response = match JobResponse::read(environment, |name| std::env::var_os(name), masker()) {
        Ok(response) => response,
        Err(error) => {
            let error = StageError::from(error);
            say(&custom.stage, &format!("error: {}", escape(&error_chain(&error))));
            return error.exit_code(environment.codes);
        }
    };
    let (mut setup, refused) = match set_up(global, &custom.stage, loaded, &response) {
        Ok(set_up) => set_up,
        Err(problems) => {
            say(&custom.stage, &format!("error: {problems}"));
            return environment.codes.system_failure;
        }
    };
    let common = [("job", response.name()), ("stage", name(&custom.stage))];
    let events = log::start(&setup.config, debug(global, setup.config.grammar()), &common);
    let key = response.identity.key();
    let journal = journal_of(&setup.config.state_dir, &key, &name(&custom.stage));
    let events = events.with(journal.clone());
    setup.context.events = setup.context.events.with(journal);
    let result = match (&custom.stage, refused) {
        (CustomStage::Config, Some(why)) => refuse_config(&setup.context, &response, why),
        (CustomStage::Config, None) => config_json(&setup.context.settings, &response),
        (CustomStage::Prepare, refused) => prepare(global, &mut setup, &response, &events, refused),
        (CustomStage::Run(_), Some(why)) => refuse_run(why),
        (CustomStage::Run(run), None) => run_script(setup.context, &response, run),
        // Whatever is chosen now, what was started is to end.
        (CustomStage::Cleanup, _) => cleanup(&setup.context, &response, environment),
    };
    conclude(environment, &events, result)
}

/// Stderr is the job's log. With a file of GitLab's driver, no line of the operator's log goes there.
fn debug(global: &GlobalFlags, grammar: ConfigGrammar) -> log::DebugMode {
    match (global.debug, grammar) {
        (false, _) => log::DebugMode::Off,
        (true, ConfigGrammar::Own) => log::DebugMode::Stderr,
        (true, ConfigGrammar::GitLab) => log::DebugMode::Quiet,
    }
}

/// The stage's name in the operator's log. That of a script comes from gitlab-runner, so it is escaped.
fn name(stage: &CustomStage) -> String {
    match stage {
        CustomStage::Config => "config".to_owned(),
        CustomStage::Prepare => "prepare".to_owned(),
        CustomStage::Run(run) => {
            fargate_model::text::escape_within(&run.stage().to_string_lossy(), 60)
        }
        CustomStage::Cleanup => "cleanup".to_owned(),
    }
}

/// Writes the JSON for gitlab-runner, or fails: without it gitlab-runner would use settings of its own.
fn config_json(settings: &DriverSettings, response: &JobResponse) -> Result<(), StageError> {
    let written = runtime().and_then(|runtime| {
        let profile = runtime.block_on(gitlab::with_own_folders(settings))?;
        to_stdout(&gitlab::config(&profile, response)).map_err(|error| {
            let why = CauseReport::new(FailureCause::Output);
            StageError::from(why.quoting("writing to stdout", error.to_string()))
        })
    });
    written.inspect_err(|error| tell!("{}", gitlab::run_line(error).unwrap_or_default()))
}

fn runtime() -> Result<tokio::runtime::Runtime, StageError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(built.map_err(StateError::host("starting an event loop"))?)
}

/// Ends a job that no profile is for before anything else is done.
fn refuse_config(
    context: &JobContext,
    response: &JobResponse,
    why: CauseReport,
) -> Result<(), StageError> {
    runtime()?.block_on(gitlab::not_begun(context, &response.identity.key()));
    refuse_run(why)
}

fn refuse_run(why: CauseReport) -> Result<(), StageError> {
    let error = StageError::Refused(Box::new(why));
    tell!("fargate-runner: {}", gitlab::run_line(&error).unwrap_or_default());
    Err(error)
}

fn prepare(
    global: &GlobalFlags,
    setup: &mut StageSetup,
    response: &JobResponse,
    events: &EventEmitter,
    refused: Option<CauseReport>,
) -> Result<(), StageError> {
    for told in setup.warnings.iter().chain(&setup.notices) {
        events.emit(&JobEvent::ConfigurationNoticed { message: told.to_string() });
    }
    let refused = refused.or_else(|| {
        let (lookup, flags) = (|name: &str| std::env::var_os(name), global.choice_flags());
        let variable = |name: &str| gitlab::job_variable(lookup, name);
        let grammar = setup.config.grammar();
        let unmet = gitlab::apply_requests(&mut setup.choice, grammar, flags, response, variable);
        // A job that is not kept runs no worse, so nothing is refused for it.
        let hold = setup.choice.profile.job_hold(grammar, variable);
        let ignored_hold = hold.as_ref().err().map(ToString::to_string);
        setup.context.settings.hold = hold.unwrap_or_default();
        let warnings = setup.warnings.iter().map(ToString::to_string);
        for warning in warnings.chain(unmet.warnings).chain(ignored_hold) {
            to_job_log(&format!("Warning: {warning}"));
        }
        unmet.refusal
    });
    setup.context.settings.profile = setup.choice.profile.clone();
    // GitLab renders colours, so they are on although there is no terminal.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = if plain { ColourMode::Off } else { ColourMode::On };
    let runtime = runtime()
        .inspect_err(|error| to_job_log(&format!("error: {}", escape(&error_chain(error)))))?;
    let mut out = std::io::stdout();
    if let Some(why) = refused {
        let refused = gitlab::refuse(&setup.context, response, why, &mut out, colour);
        return Err(runtime.block_on(refused.instrument(log::stage())));
    }
    let prepared = signals::heard(async |cancel| {
        let context = JobContext { cancel, ..setup.context.clone() };
        gitlab::prepare(&context, response, &mut out, colour).await
    });
    runtime.block_on(prepared.instrument(log::stage()))?
}

fn run_script(
    context: JobContext,
    response: &JobResponse,
    run: &RunArgs,
) -> Result<(), StageError> {
    let mut console = match ConsoleWriter::of_this_process(masker().clone()) {
        Ok(console) => console,
        Err(error) => {
            let why =
                CauseReport::new(FailureCause::Output).quoting("opening stdout", error.to_string());
            let error = StageError::from(why);
            tell!("fargate-runner: {}", gitlab::run_line(&error).unwrap_or_default());
            return Err(error);
        }
    };
    let opened = StateFolder::open(&context.settings.state_dir, context.timeouts().state_lock);
    let result = opened.map_err(StageError::from);
    let result = result.and_then(|folder| {
        let key = response.identity.key();
        let ran = signals::heard(async |cancel| {
            let context = JobContext { cancel, ..context };
            let stage = run.stage().to_string_lossy();
            gitlab::run(&folder, &key, &context, (run.script(), &stage), &mut console).await
        });
        runtime()?.block_on(ran.instrument(log::stage()))?
    });
    if let Err(error) = &result
        && let Some(line) = gitlab::run_line(error)
    {
        let fresh = if console.is_mid_line() { "\n" } else { "" };
        tell!("{fresh}fargate-runner: {line}");
    }
    result
}

fn cleanup(
    context: &JobContext,
    response: &JobResponse,
    environment: &StageEnvironment,
) -> Result<(), StageError> {
    let key = response.identity.key();
    let builds = context.profile().builds_dir.as_deref();
    let traces = gitlab::job_traces(environment, builds, |name| std::env::var_os(name));
    let (state_dir, timeouts) = (&context.settings.state_dir, context.timeouts());
    let cleaned = runtime().and_then(|runtime| {
        runtime.block_on(gitlab::cleanup(context, &key, traces.as_ref()).instrument(log::stage()))
    });
    let age = timeouts.tombstone_retention;
    sweep_journals(state_dir, timeouts.state_lock, age, SystemTime::now());
    match cleaned {
        Ok(undone) => {
            for what in undone {
                let what = escape(&what);
                tell!("warning: {what}; the task stops by itself when its time is over");
            }
            Ok(())
        }
        Err(error) => {
            tell!("{}", gitlab::run_line(&error).unwrap_or_default());
            Err(error)
        }
    }
}

/// The exit code. If the job's own script failed, writes its status to gitlab-runner's file as well.
fn conclude(
    environment: &StageEnvironment,
    events: &EventEmitter,
    result: Result<(), StageError>,
) -> u8 {
    let Err(error) = result else { return 0 };
    events.emit(&JobEvent::StageEnded {
        cause: error.why().map(|why| why.cause),
        exit: error.exit_code(environment.codes),
        message: error.to_string(),
    });
    if let Some(status) = error.build_exit_code()
        && let Err(error) = environment.write_exit_code(status)
    {
        tell!("fargate-runner: warning: the exit code {status} could not be written: {error}");
    }
    error.exit_code(environment.codes)
}

/// Tells why a stage does not begin. `prepare` writes everything to one stream, to keep the order.
fn say(stage: &CustomStage, words: &str) {
    match stage {
        CustomStage::Prepare => to_job_log(words),
        CustomStage::Run(_) => tell!("fargate-runner: {words}"),
        CustomStage::Config | CustomStage::Cleanup => tell!("{words}"),
    }
}
