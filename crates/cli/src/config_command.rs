//! `config init | check | show | import`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fargate_config::{
    ConfigGrammar, ConfigProblem, DEFAULT_PATH, GITLAB_DEFAULT_PATH, LoadedConfig, PATH_VARIABLE,
    REFERENCE, UnknownKeyPolicy,
};

use fargate_model::text;

use crate::args::{ConfigAction, ConfigArgs, GlobalFlags};
use crate::check_files;
use crate::streams::{tell, to_stdout};

/// The configuration file that flags and environment name.
pub fn path(global: &GlobalFlags) -> PathBuf {
    let variable = std::env::var_os(PATH_VARIABLE);
    let default = if global.called_as_theirs { GITLAB_DEFAULT_PATH } else { DEFAULT_PATH };
    // An empty flag is one that is not there, as for GitLab's driver.
    let flag = global.config.as_deref().filter(|path| !path.as_os_str().is_empty());
    fargate_config::locate(flag, variable.as_deref(), default)
}

/// The path of that file, and what is in force: the file, and the flags over it.
///
/// # Errors
///
/// Words of several lines: what follows `error: `.
pub fn load(
    global: &GlobalFlags,
    unknown: UnknownKeyPolicy,
) -> Result<(PathBuf, LoadedConfig), String> {
    let path = path(global);
    let flags = global.overrides().map_err(|error| error.to_string())?;
    let loaded = fargate_config::load_with(&path, unknown, &flags);
    loaded.map(|loaded| (path, loaded)).map_err(|problems| problems.to_string())
}

/// Runs one action.
pub fn run(global: &GlobalFlags, args: &ConfigArgs) -> ExitCode {
    let result = match &args.action {
        ConfigAction::Init => init(global),
        ConfigAction::Check => check(global),
        ConfigAction::Show => show(global),
        ConfigAction::Import(import) => self::import(&import.old),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the reference, and never over a file that is there.
fn init(global: &GlobalFlags) -> Result<(), String> {
    let path = path(global);
    let made = std::fs::File::create_new(&path).and_then(|mut file| {
        // Half a file would be in the way of the next try.
        file.write_all(REFERENCE.as_bytes()).inspect_err(|_| drop(std::fs::remove_file(&path)))
    });
    match made {
        Ok(()) => {
            to_stdout(&path.display().to_string()).map_err(unwritten)?;
            let file = match path.as_os_str() == DEFAULT_PATH {
                true => String::new(),
                false => format!("-c {} ", text::shell_word(&path.display().to_string())),
            };
            tell!("Fill in the lines marked REQUIRED, then: fargate-runner {file}config check");
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(format!(
            "{} is there already, and is not overwritten\nhint: `fargate-runner -c FILE config init` writes another one",
            path.display()
        )),
        Err(error) => Err(not_made(&path, &error)),
    }
}

/// Why the file was not written, and where else it can be.
fn not_made(path: &Path, error: &std::io::Error) -> String {
    let shown = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let elsewhere = "name another file: `fargate-runner -c FILE config init`";
    let missing = folder.filter(|folder| !folder.exists());
    match (missing, error.kind()) {
        (Some(folder), std::io::ErrorKind::NotFound) => format!(
            "writing {shown}: there is no folder {}\nhint: make it: `mkdir -p {}`, or {elsewhere}",
            folder.display(),
            text::shell_word(&folder.display().to_string())
        ),
        (_, std::io::ErrorKind::PermissionDenied) => format!(
            "writing {shown}: this user may not write there\nhint: run it with `sudo`, or {elsewhere}"
        ),
        _ => format!("writing {shown}: {error}\nhint: {elsewhere}"),
    }
}

fn check(global: &GlobalFlags) -> Result<(), String> {
    let (path, loaded) = load(global, UnknownKeyPolicy::Refuse)?;
    let names = loaded.config.profile_names();
    for name in names.iter().copied().map(Some).chain(names.is_empty().then_some(None)) {
        loaded.config.profile(name).map_err(|error| error.to_string())?;
    }
    told(&loaded);
    for doubt in check_files::doubts(&path, &loaded.config) {
        tell!("{}", noticed(&doubt));
    }
    let what = match (loaded.config.grammar(), names.len()) {
        (ConfigGrammar::GitLab, _) => "a file of GitLab's Fargate driver".to_owned(),
        (ConfigGrammar::Own, 0) => "no profiles".to_owned(),
        (ConfigGrammar::Own, _) => format!("profiles: {}", names.join(", ")),
    };
    to_stdout(&format!("{}: in order, {what}", path.display())).map_err(unwritten)
}

fn show(global: &GlobalFlags) -> Result<(), String> {
    let (_, loaded) = load(global, UnknownKeyPolicy::Warn)?;
    told(&loaded);
    if let Some(profile) = &global.profile {
        loaded.config.profile(Some(profile)).map_err(|error| error.to_string())?;
    }
    to_stdout(loaded.config.show(global.profile.as_deref()).trim_end()).map_err(unwritten)
}

/// Prints a file of GitLab's driver in our grammar. Flags are about this host's own file, so they say
/// nothing here.
fn import(old: &Path) -> Result<(), String> {
    let loaded =
        fargate_config::load(old, UnknownKeyPolicy::Warn).map_err(|error| error.to_string())?;
    if loaded.config.grammar() == ConfigGrammar::Own {
        return Err(format!(
            "{} has `config_version`: it is in our grammar already\nhint: `fargate-runner -c FILE config check`",
            old.display()
        ));
    }
    told(&loaded);
    to_stdout(loaded.config.import().trim_end()).map_err(unwritten)
}

/// What was noticed, one line each, and what to do about it.
fn told(loaded: &LoadedConfig) {
    for warning in loaded.warnings.iter().chain(&loaded.notices) {
        tell!("{}", noticed(warning));
    }
}

fn noticed(warning: &ConfigProblem) -> String {
    let hint = warning.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
    format!("warning: {warning}{}", hint.unwrap_or_default())
}

fn unwritten(error: std::io::Error) -> String {
    format!("writing to stdout: {error}")
}
