//! `registry-secret set | show | test`. What is done with the secret is the business of the registry crate.

use fargate_config::{JobProfile, LoadedConfig, UnknownKeyPolicy};
use fargate_driver::task::ChannelProfile;
use fargate_model::text::escape;
use fargate_registry::{
    RegistryCredentials, RegistrySecret, RegistrySecretError, SecretChange, check_registry,
};
use fargate_terminal::{OutputFormat, StateMark};

use crate::args::{
    GlobalFlags, RegistrySecretAction, RegistrySecretArgs, SecretSetArgs, SecretShowArgs,
};
use crate::exit::CommandExit;
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::{config_command, log, password_input, registry_secret_output, status};

/// Runs it.
pub fn run(global: &GlobalFlags, args: &RegistrySecretArgs) -> CommandExit {
    let profile = match set_up(global) {
        Ok(profile) => profile,
        Err(error) => return refused(&error),
    };
    let result = match &args.action {
        RegistrySecretAction::Set(set) => self::set(&profile, args, set),
        RegistrySecretAction::Show(show) => self::show(&profile, args, show),
        RegistrySecretAction::Test => test(&profile, args),
    };
    result.unwrap_or_else(|error| refused(&error))
}

fn refused(error: &str) -> CommandExit {
    tell!("error: {error}");
    CommandExit::NothingDone
}

fn set_up(global: &GlobalFlags) -> Result<JobProfile, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let profile = config.profile(global.profile.as_deref()).map_err(|error| error.to_string())?;
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "registry-secret".into())]);
    Ok(profile)
}

/// The secret that the flag or the profile names.
fn name<'a>(profile: &'a JobProfile, args: &'a RegistrySecretArgs) -> Result<&'a str, String> {
    let named = args.secret.as_deref().or(profile.registry_secret.as_deref());
    named.ok_or_else(|| {
        "the profile names no `registry_secret`\nhint: `registry_secret = \"ci/registry\"` in the \
         profile, or `--secret NAME`"
            .to_owned()
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| format!("starting an event loop: {error}"))
}

fn set(
    profile: &JobProfile,
    args: &RegistrySecretArgs,
    set: &SecretSetArgs,
) -> Result<CommandExit, String> {
    let name = name(profile, args)?;
    let password = password_input::password(&set.user, set.password_stdin)?;
    let login =
        RegistryCredentials::new(&set.user, &password).map_err(|error| error.to_string())?;
    let written = runtime()?.block_on(async {
        let secret = RegistrySecret::open(name, profile, masker()).await?;
        let change = secret.write(&login).await?;
        // The login is written by now, so a description that fails is no error of this command.
        Ok::<_, RegistrySecretError>((change, secret.describe().await.ok().flatten()))
    });
    let (change, described) = written.map_err(|error| words(&error))?;
    let done = match change {
        SecretChange::Created => "created",
        SecretChange::Rotated => "has a new version; tasks that start from now on use it",
        SecretChange::Unchanged => "has this login already",
    };
    tell!("secret {}: {done}, user `{}`", escape(name), escape(&set.user));
    if let Some(described) = described {
        to_stdout(&described.arn).map_err(unwritten)?;
    }
    Ok(CommandExit::Done)
}

fn show(
    profile: &JobProfile,
    args: &RegistrySecretArgs,
    show: &SecretShowArgs,
) -> Result<CommandExit, String> {
    let name = name(profile, args)?;
    let facts = runtime()?.block_on(async {
        let secret = RegistrySecret::open(name, profile, masker()).await?;
        secret.facts().await
    });
    let facts = facts.map_err(|error| words(&error))?;
    let text = match OutputFormat::or_default(show.format) {
        OutputFormat::Table => registry_secret_output::lines(&facts),
        OutputFormat::Json => registry_secret_output::json(&facts),
        OutputFormat::Tsv => registry_secret_output::tsv(&facts),
    };
    // The name of a secret, or its user, could be what is secret elsewhere.
    to_stdout(&masker().text(&text)).map_err(unwritten)?;
    match &facts.user {
        Ok(_) => Ok(CommandExit::Done),
        Err(error) => {
            tell!("warning: {}", words(error));
            Ok(CommandExit::Partly)
        }
    }
}

fn test(profile: &JobProfile, args: &RegistrySecretArgs) -> Result<CommandExit, String> {
    let unicode = status::capabilities().unicode;
    let mut told = |step| {
        let mark = StateMark::Passed.symbol(unicode);
        tell!("{mark} {}", registry_secret_output::step(&step, profile));
    };
    let by_channel = ChannelProfile::of(profile).map_err(|why| why.headline())?;
    let profile = &by_channel.profile;
    let checked = check_registry(profile, args.secret.as_deref(), masker(), &mut told);
    let Err(error) = runtime()?.block_on(checked) else { return Ok(CommandExit::Done) };
    let mark = StateMark::Failed.symbol(unicode);
    tell!("{mark} {}: {}", error.step(), escape(&error.to_string()));
    if let Some(hint) = error.hint() {
        tell!("hint: {hint}");
    }
    Ok(CommandExit::NothingDone)
}

fn words(error: &RegistrySecretError) -> String {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{}{hint}", escape(&error.to_string()))
}
