//! `custom`: the stages, wired to their environment and their streams.

use std::process::ExitCode;

use fargate_config::{ConfigGrammar, ConfigProblem, LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_driver::gitlab::{self, FALLBACK_CODES, JobResponse, StageEnvironment, StageError};
use fargate_driver::provision::DriverSettings;
use fargate_driver::session::ConsoleWriter;
use fargate_events::{EventEmitter, JobEvent};
use fargate_model::cause::{CauseReport, ColourMode, FailureCause};
use fargate_model::text::{error_chain, escape};
use fargate_state::host;
use fargate_state::{StateError, StateFolder};
use tracing::Instrument;

use crate::args::{CustomArgs, CustomStage, GlobalFlags, RunArgs};
use crate::streams::{tell, to_job_log, to_stdout};
use crate::{config_command, job_choice, log};

/// What a stage needs to know of its configuration.
struct StageSetup {
    config: RunnerConfig,
    settings: DriverSettings,
    /// For whoever reads the job's log.
    warnings: Vec<ConfigProblem>,
    /// For the operator alone.
    notices: Vec<ConfigProblem>,
}

/// Runs one stage.
pub fn run(global: &GlobalFlags, custom: &CustomArgs) -> ExitCode {
    let lookup = |name: &str| std::env::var_os(name);
    let is_cleanup = matches!(custom.stage, CustomStage::Cleanup);
    let environment = match StageEnvironment::read(lookup) {
        Ok(environment) => environment,
        Err(_) if is_cleanup => StageEnvironment::read_for_cleanup(lookup),
        Err(error) => {
            say(&custom.stage, &format!("error: {error}"));
            return ExitCode::from(FALLBACK_CODES.system_failure);
        }
    };
    if matches!(custom.stage, CustomStage::Run(_)) {
        environment.forget_exit_code();
    }
    if let Err(error) = host::check() {
        let error = StageError::from(error);
        say(&custom.stage, &gitlab::run_line(&error).unwrap_or_default());
        return ExitCode::from(error.exit_code(environment.codes));
    }
    let code = match set_up(global) {
        Ok(setup) => stage(global, custom, &environment, setup),
        Err(problems) => {
            say(&custom.stage, &format!("error: {problems}"));
            environment.codes.system_failure
        }
    };
    ExitCode::from(code)
}

fn set_up(global: &GlobalFlags) -> Result<StageSetup, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    let profile =
        config.profile(global.profile.as_deref()).map_err(|problems| problems.to_string())?;
    let settings = DriverSettings {
        owner: config.owner.clone(),
        state_dir: config.state_dir.clone(),
        profile,
    };
    Ok(StageSetup { config, settings, warnings, notices })
}

fn stage(
    global: &GlobalFlags,
    custom: &CustomArgs,
    environment: &StageEnvironment,
    mut setup: StageSetup,
) -> u8 {
    let response = match JobResponse::read(environment, |name| std::env::var_os(name)) {
        Ok(response) => response,
        Err(error) => {
            let error = StageError::from(error);
            say(&custom.stage, &format!("error: {}", escape(&error_chain(&error))));
            return error.exit_code(environment.codes);
        }
    };
    let common = [("job", response.name()), ("stage", name(&custom.stage))];
    let events = log::start(&setup.config, debug(global, setup.config.grammar()), &common);
    let result = match &custom.stage {
        CustomStage::Config => config_json(&setup.settings, &response),
        CustomStage::Prepare => prepare(global, &mut setup, &response, &events),
        CustomStage::Run(run) => run_script(&setup.settings, &response, run),
        CustomStage::Cleanup => cleanup(&setup.settings, &response),
    };
    conclude(environment, &events, result)
}

/// With a file of GitLab's driver nothing of the log reaches stderr, which is the job's log.
fn debug(global: &GlobalFlags, grammar: ConfigGrammar) -> log::DebugMode {
    match (global.debug, grammar) {
        (false, _) => log::DebugMode::Off,
        (true, ConfigGrammar::Own) => log::DebugMode::Stderr,
        (true, ConfigGrammar::GitLab) => log::DebugMode::Quiet,
    }
}

/// The name in the log; a stage's own name comes from gitlab-runner and is made harmless.
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

/// Without the JSON gitlab-runner would go on with settings of its own, so it has to be written.
fn config_json(settings: &DriverSettings, response: &JobResponse) -> Result<(), StageError> {
    to_stdout(&gitlab::config(&settings.profile, response)).map_err(|error| {
        let why =
            CauseReport::new(FailureCause::Output).quoting("writing to stdout", error.to_string());
        let error = StageError::from(why);
        tell!("{}", gitlab::run_line(&error).unwrap_or_default());
        error
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, StageError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(built.map_err(StateError::host("starting an event loop"))?)
}

fn prepare(
    global: &GlobalFlags,
    setup: &mut StageSetup,
    response: &JobResponse,
    events: &EventEmitter,
) -> Result<(), StageError> {
    for told in setup.warnings.iter().chain(&setup.notices) {
        events.emit(&JobEvent::ConfigurationNoticed { message: told.to_string() });
    }
    let lookup = |name: &str| std::env::var_os(name);
    let profile = &mut setup.settings.profile;
    let ignored = job_choice::apply(profile, setup.config.grammar(), global, lookup);
    let warnings = setup.warnings.iter().map(|warning| format!("Warning: {warning}"));
    for line in warnings.chain(ignored) {
        to_job_log(&line);
    }
    let settings = &setup.settings;
    // GitLab renders colour, so it is on where no terminal is.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = if plain { ColourMode::Off } else { ColourMode::On };
    let runtime = runtime()
        .inspect_err(|error| to_job_log(&format!("error: {}", escape(&error_chain(error)))))?;
    let mut out = std::io::stdout();
    let prepared = gitlab::prepare(settings, response, &mut out, colour);
    runtime.block_on(prepared.instrument(log::stage()))
}

fn run_script(
    settings: &DriverSettings,
    response: &JobResponse,
    run: &RunArgs,
) -> Result<(), StageError> {
    let profile = &settings.profile;
    let mut console = match ConsoleWriter::of_this_process() {
        Ok(console) => console,
        Err(error) => {
            let why =
                CauseReport::new(FailureCause::Output).quoting("opening stdout", error.to_string());
            let error = StageError::from(why);
            tell!("fargate-runner: {}", gitlab::run_line(&error).unwrap_or_default());
            return Err(error);
        }
    };
    let result = StateFolder::open(&settings.state_dir, profile.timeouts.state_lock)
        .map_err(StageError::from);
    let result = result.and_then(|folder| {
        let key = response.identity.key();
        let ran = gitlab::run(&folder, &key, profile, run.script(), &mut console);
        runtime()?.block_on(ran.instrument(log::stage()))
    });
    if let Err(error) = &result
        && let Some(line) = gitlab::run_line(error)
    {
        let fresh = if console.is_mid_line() { "\n" } else { "" };
        tell!("{fresh}fargate-runner: {line}");
    }
    result
}

fn cleanup(settings: &DriverSettings, response: &JobResponse) -> Result<(), StageError> {
    let key = response.identity.key();
    let cleaned = runtime().and_then(|runtime| {
        runtime.block_on(gitlab::cleanup(settings, &key).instrument(log::stage()))
    });
    match cleaned {
        Ok(undone) => {
            for what in undone {
                let what = escape(&what);
                tell!("warning: {what}; the task is left to its own timers");
            }
            Ok(())
        }
        Err(error) => {
            tell!("{}", gitlab::run_line(&error).unwrap_or_default());
            Err(error)
        }
    }
}

/// The exit code, and the file that goes with the job's own failure.
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

/// Words of a stage that has not begun. In `prepare` everything goes to one stream, in order.
fn say(stage: &CustomStage, words: &str) {
    match stage {
        CustomStage::Prepare => to_job_log(words),
        CustomStage::Run(_) => tell!("fargate-runner: {words}"),
        CustomStage::Config | CustomStage::Cleanup => tell!("{words}"),
    }
}
