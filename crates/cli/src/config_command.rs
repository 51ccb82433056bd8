//! `config init | check | show`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use fargate_config::{PATH_VARIABLE, REFERENCE, Unknown};

use crate::args::{ConfigAction, ConfigArgs, Global};
use crate::streams::{tell, to_stdout};

/// The configuration file that flags and environment name.
pub fn path(global: &Global) -> PathBuf {
    let variable = std::env::var_os(PATH_VARIABLE);
    fargate_config::locate(global.config.as_deref(), variable.as_deref())
}

/// Runs one action.
pub fn run(global: &Global, args: &ConfigArgs) -> ExitCode {
    let result = match args.action {
        ConfigAction::Init => init(global),
        ConfigAction::Check => check(global),
        ConfigAction::Show => show(global),
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
fn init(global: &Global) -> Result<(), String> {
    let path = path(global);
    let made =
        std::fs::File::create_new(&path).and_then(|mut file| file.write_all(REFERENCE.as_bytes()));
    match made {
        Ok(()) => {
            to_stdout(&path.display().to_string()).map_err(unwritten)?;
            tell!("Fill in the lines marked REQUIRED, then: fargate-runner config check");
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(format!(
            "{} is there already, and is not overwritten\nhint: `fargate-runner -c OTHER config init`",
            path.display()
        )),
        Err(error) => Err(format!("writing {}: {error}", path.display())),
    }
}

fn check(global: &Global) -> Result<(), String> {
    let path = path(global);
    let loaded = fargate_config::load(&path, Unknown::Refuse).map_err(|error| error.to_string())?;
    let names = loaded.config.profile_names();
    for name in names.iter().copied().map(Some).chain(names.is_empty().then_some(None)) {
        loaded.config.profile(name).map_err(|error| error.to_string())?;
    }
    let profiles = match names.len() {
        0 => "no profiles".to_owned(),
        _ => format!("profiles: {}", names.join(", ")),
    };
    to_stdout(&format!("{}: in order, {profiles}", path.display())).map_err(unwritten)
}

fn show(global: &Global) -> Result<(), String> {
    let path = path(global);
    let loaded = fargate_config::load(&path, Unknown::Warn).map_err(|error| error.to_string())?;
    for warning in &loaded.warnings {
        tell!("warning: {warning}");
    }
    if let Some(profile) = &global.profile {
        loaded.config.profile(Some(profile)).map_err(|error| error.to_string())?;
    }
    to_stdout(loaded.config.show(global.profile.as_deref()).trim_end()).map_err(unwritten)
}

fn unwritten(error: std::io::Error) -> String {
    format!("writing to stdout: {error}")
}
