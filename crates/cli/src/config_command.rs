//! `config init | check | show | import`; `import_stack_command` has the last one. What a configuration means is the config crate's business.

use std::io::Write;
use std::path::{Path, PathBuf};

use fargate_config::{
    ConfigGrammar, ConfigProblem, DEFAULT_PATH, GITLAB_DEFAULT_PATH, LoadedConfig, PATH_VARIABLE,
    REFERENCE, UnknownKeyPolicy,
};
use fargate_model::text;
use fargate_task_definition::RenderedDefinition;
use nix::unistd::{AccessFlags, eaccess};

use crate::args::{ConfigAction, ConfigArgs, GlobalFlags};
use crate::exit::CommandExit;
use crate::streams::{tell, to_stdout, unwritten};
use crate::{check_files, import_stack_command};

/// The configuration file that flags and environment name.
pub fn path(global: &GlobalFlags) -> PathBuf {
    let variable = std::env::var_os(PATH_VARIABLE);
    let default = if global.called_as_theirs { GITLAB_DEFAULT_PATH } else { DEFAULT_PATH };
    // An empty flag counts as not given, as it does for GitLab's driver.
    let flag = global.config.as_deref().filter(|path| !path.as_os_str().is_empty());
    fargate_config::locate(flag, variable.as_deref(), default)
}

/// The path of that file, and the settings in force: those of the flags, else those of the file.
///
/// # Errors
///
/// If the file cannot be used. The words may have several lines; the caller writes `error: ` before
/// them.
pub fn load(
    global: &GlobalFlags,
    unknown: UnknownKeyPolicy,
) -> Result<(PathBuf, LoadedConfig), String> {
    let path = path(global);
    let flags = global.overrides().map_err(|error| error.to_string())?;
    let loaded = fargate_config::load_with(&path, unknown, &flags);
    loaded.map(|loaded| (path, loaded)).map_err(|problems| problems.to_string())
}

/// What becomes of a configuration file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingFile {
    /// It stays, and nothing is written.
    Keep,
    /// It is replaced as a whole.
    Replace,
}

/// Runs one action.
pub fn run(global: &GlobalFlags, args: &ConfigArgs) -> CommandExit {
    let result = match &args.action {
        ConfigAction::Init => init(global),
        ConfigAction::Check => check(global),
        ConfigAction::Show => show(global),
        ConfigAction::Import(import) => self::import(&import.old),
        ConfigAction::ImportStack(stack) => import_stack_command::run(global, stack),
    };
    match result {
        Ok(()) => CommandExit::Done,
        Err(error) => {
            tell!("error: {error}");
            CommandExit::NothingDone
        }
    }
}

/// Writes the reference file. A file that exists already is never overwritten.
fn init(global: &GlobalFlags) -> Result<(), String> {
    let path = path(global);
    write_new(&path, REFERENCE, ExistingFile::Keep, "init")?;
    to_stdout(&path.display().to_string()).map_err(unwritten)?;
    tell!(
        "Fill in the lines marked REQUIRED, then: fargate-runner {}config check",
        file_flag(&path)
    );
    Ok(())
}

/// The flag by which other commands find the file; empty where they find it by themselves.
pub fn file_flag(path: &Path) -> String {
    match path.as_os_str() == DEFAULT_PATH {
        true => String::new(),
        false => format!("-c {} ", text::shell_word(&path.display().to_string())),
    }
}

/// Writes a configuration file for the command `config COMMAND`.
///
/// # Errors
///
/// If it is there already and must stay, or cannot be written; in words, with what else can be done.
pub fn write_new(
    path: &Path,
    text: &str,
    existing: ExistingFile,
    command: &str,
) -> Result<(), String> {
    match write_file(path, text, existing) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let force = match command {
                "init" => String::new(),
                _ => "; `--force` replaces this one".to_owned(),
            };
            Err(format!(
                "{} exists already, and is not overwritten\nhint: `fargate-runner -c FILE config {command}` writes another one{force}",
                path.display()
            ))
        }
        Err(error) => Err(not_made(path, &error, command)),
    }
}

/// Writes a file that is not there, or replaces it as a whole.
///
/// # Errors
///
/// As of the file system; [`std::io::ErrorKind::AlreadyExists`] if it is there and must stay.
fn write_file(path: &Path, text: &str, existing: ExistingFile) -> std::io::Result<()> {
    if existing == ExistingFile::Replace && path.is_file() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let new = folder.unwrap_or(Path::new(".")).join(format!(".{}.new", std::process::id()));
        let mut file = std::fs::File::create_new(&new)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        return written
            .and_then(|()| std::fs::rename(&new, path))
            .inspect_err(|_| drop(std::fs::remove_file(&new)));
    }
    let mut file = std::fs::File::create_new(path)?;
    // The next try would meet half a file, and refuse to overwrite it.
    file.write_all(text.as_bytes()).inspect_err(|_| drop(std::fs::remove_file(path)))
}

/// Why the file was not written, and where else it can be.
fn not_made(path: &Path, error: &std::io::Error, command: &str) -> String {
    let shown = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let elsewhere = format!("name another file: `fargate-runner -c FILE config {command}`");
    let missing = folder.filter(|folder| !folder.exists());
    match (missing, error.kind()) {
        (Some(folder), std::io::ErrorKind::NotFound) => format!(
            "writing {shown}: there is no folder {}\nhint: make it: `{}mkdir -p {}`, or {elsewhere}",
            folder.display(),
            if may_make(folder) { "" } else { "sudo " },
            text::shell_word(&folder.display().to_string())
        ),
        (_, std::io::ErrorKind::PermissionDenied) => format!(
            "writing {shown}: this user may not write there\nhint: run it with `sudo`, or {elsewhere}"
        ),
        _ => format!("writing {shown}: {error}\nhint: {elsewhere}"),
    }
}

/// Whether this user may make a folder that does not exist.
fn may_make(folder: &Path) -> bool {
    let mut parents =
        folder.ancestors().skip(1).map(|parent| match parent.as_os_str().is_empty() {
            true => Path::new("."),
            false => parent,
        });
    let nearest = parents.find(|parent| parent.exists());
    nearest.is_some_and(|parent| eaccess(parent, AccessFlags::W_OK | AccessFlags::X_OK).is_ok())
}

fn check(global: &GlobalFlags) -> Result<(), String> {
    let (path, loaded) = load(global, UnknownKeyPolicy::Refuse)?;
    let names = loaded.config.profile_names();
    for name in names.iter().copied().map(Some).chain(names.is_empty().then_some(None)) {
        let profile = loaded.config.profile(name).map_err(|error| error.to_string())?;
        let place = name.map_or("[defaults]".to_owned(), |name| format!("[profile.{name}]"));
        RenderedDefinition::check(&profile)
            .map_err(|error| format!("{}: {place}: {error}", path.display()))?;
        // A channel is checked by the configuration itself; which image it has is known to the manifest.
        if profile.channel.is_some() {
            continue;
        }
        fargate_registry::check_image(&profile).map_err(|error| {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            format!("{}: {place}: {error}{hint}", path.display())
        })?;
    }
    told(&loaded);
    let network = loaded.config.network_doubts();
    let doubts = network.into_iter().chain(loaded.config.serve_doubts());
    for doubt in doubts.chain(check_files::doubts(&path, &loaded.config)) {
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

/// Prints a file of GitLab's driver in our grammar. Flags belong to this host's own file, so none of
/// them counts here.
fn import(old: &Path) -> Result<(), String> {
    is_file(old)?;
    let loaded =
        fargate_config::load(old, UnknownKeyPolicy::Warn).map_err(|error| error.to_string())?;
    if loaded.config.grammar() == ConfigGrammar::Own {
        return Err(format!(
            "{} has `config_version`: it is a file of Fargate Runner already\nhint: `fargate-runner -c FILE config check`",
            old.display()
        ));
    }
    told(&loaded);
    to_stdout(loaded.config.import().trim_end()).map_err(unwritten)
}

/// Refuses a path that names no file, with a hint for the argument of `import`.
fn is_file(old: &Path) -> Result<(), String> {
    let shown = text::escape(&old.display().to_string());
    match std::fs::metadata(old) {
        Ok(metadata) if metadata.is_dir() => {
            let file = text::shell_word(&old.join("fargate.toml").display().to_string());
            Err(format!(
                "{shown}: this is a folder, a file is expected\nhint: name a file in it: \
                 `fargate-runner config import {file}`"
            ))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(format!(
            "{shown}: there is no such file\nhint: name the file of GitLab's Fargate driver: \
             `fargate-runner config import FILE`"
        )),
        // Whatever else is wrong, whoever reads the file says.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Tells what was noticed, one line each, and what to do about it.
fn told(loaded: &LoadedConfig) {
    for warning in loaded.warnings.iter().chain(&loaded.notices) {
        tell!("{}", noticed(warning));
    }
}

fn noticed(warning: &ConfigProblem) -> String {
    let hint = warning.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
    format!("warning: {warning}{}", hint.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_this_user_may_not_make_needs_sudo() {
        let folder = tempfile::tempdir().unwrap();
        assert!(may_make(&folder.path().join("a/b")));
        assert!(may_make(Path::new("no-such-folder/b")));
        if nix::unistd::geteuid().is_root() {
            return println!("SKIPPED: root may make every folder");
        }
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let told = not_made(Path::new("/etc/no-such-folder/c.toml"), &missing, "default");
        assert!(told.contains("`sudo mkdir -p /etc/no-such-folder`"), "{told}");
    }
}
