//! Finds and reads the configuration file. It reads regular files up to a limit, and nothing that
//! could block.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use fargate_model::text::escape;

use crate::config::LoadedConfig;
use crate::overrides::FlagOverrides;
use crate::parse::parse_with;
use crate::problem::{ConfigError, ConfigProblem};
use crate::unknown_key::UnknownKeyPolicy;

/// Where the file is looked for unless told otherwise.
pub const DEFAULT_PATH: &str = "/etc/fargate-runner/config.toml";

/// The environment variable that names another file.
pub const PATH_VARIABLE: &str = "FARGATE_RUNNER_CONFIG";

/// Largest file that is read, in bytes: 1 MiB.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where GitLab's driver looks for its file, in the working directory.
pub const GITLAB_DEFAULT_PATH: &str = "config.toml";

/// The file to read: the flag, else the environment variable unless it is empty, else `default`,
/// which is [`DEFAULT_PATH`] or [`GITLAB_DEFAULT_PATH`].
#[must_use]
pub fn locate(flag: Option<&Path>, variable: Option<&OsStr>, default: &str) -> PathBuf {
    let variable = variable.filter(|value| !value.is_empty()).map(Path::new);
    flag.or(variable).unwrap_or(Path::new(default)).to_owned()
}

/// Reads and checks the file at `path`.
///
/// # Errors
///
/// Everything that is wrong with it: that it cannot be read, is no text, or what [`crate::parse()`] finds.
pub fn load(path: &Path, unknown: UnknownKeyPolicy) -> Result<LoadedConfig, ConfigError> {
    load_with(path, unknown, &FlagOverrides::default())
}

/// As [`load`], with what flags say over what the file says.
///
/// # Errors
///
/// As [`load`]; values of flags that do not fit the file are among the problems.
pub fn load_with(
    path: &Path,
    unknown: UnknownKeyPolicy,
    flags: &FlagOverrides,
) -> Result<LoadedConfig, ConfigError> {
    let bytes = read(path)?;
    match String::from_utf8(bytes) {
        Ok(text) => parse_with(&text, path, unknown, flags),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line = 1 + bytes[..at].iter().filter(|&&b| b == b'\n').count();
            let message = format!("this is no text, byte 0x{:02x} is not UTF-8", bytes[at]);
            Err(problem(path, Some(line), message, "a configuration is a TOML file in UTF-8"))
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let io = |error: std::io::Error| unreadable(path, &error);
    // Asked before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        let hint = format!(
            "name a file in it: `-c {}`",
            escape(&path.join("config.toml").display().to_string())
        );
        return Err(problem(path, None, "this is a folder, a file is expected", &hint));
    }
    if !metadata.is_file() {
        return Err(problem(
            path,
            None,
            "this is a device or a pipe, a file is expected",
            HOW_TO_NAME,
        ));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(io)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!(
            "this file has {} bytes, at most {MAX_FILE_BYTES} are read",
            metadata.len().max(bytes.len() as u64)
        );
        return Err(problem(path, None, message, "is it a configuration file?"));
    }
    Ok(bytes)
}

const HOW_TO_NAME: &str = "name the file by `-c FILE` or by the variable FARGATE_RUNNER_CONFIG";

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    let shown = escape(&path.display().to_string());
    match error.kind() {
        ErrorKind::NotFound => {
            let hint = format!("`fargate-runner config init` writes one; or {HOW_TO_NAME}");
            problem(path, None, "there is no such file", &hint)
        }
        ErrorKind::PermissionDenied => {
            let hint =
                format!("it must be readable for the user of gitlab-runner: `ls -l {shown}`");
            problem(path, None, "this user may not read it", &hint)
        }
        _ => problem(path, None, format!("this file cannot be read: {error}"), HOW_TO_NAME),
    }
}

fn problem(
    path: &Path,
    line: Option<usize>,
    message: impl Into<String>,
    hint: &str,
) -> ConfigError {
    let (path, message) = (path.to_owned(), message.into());
    ConfigProblem { path, line, key: None, message, hint: Some(hint.to_owned()) }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_comes_before_the_variable_and_an_empty_variable_does_not_count() {
        let flag = Some(Path::new("/a"));
        let variable = Some(OsStr::new("/b"));
        assert_eq!(locate(flag, variable, DEFAULT_PATH), Path::new("/a"));
        assert_eq!(locate(None, variable, DEFAULT_PATH), Path::new("/b"));
        assert_eq!(locate(None, Some(OsStr::new("")), DEFAULT_PATH), Path::new(DEFAULT_PATH));
        assert_eq!(locate(None, None, GITLAB_DEFAULT_PATH), Path::new(GITLAB_DEFAULT_PATH));
    }

    #[test]
    fn a_file_of_another_user_is_said_to_be_one() {
        let error = std::io::Error::from(ErrorKind::PermissionDenied);
        insta::assert_snapshot!(unreadable(Path::new(DEFAULT_PATH), &error), @r#"
        /etc/fargate-runner/config.toml: this user may not read it
        hint: it must be readable for the user of gitlab-runner: `ls -l /etc/fargate-runner/config.toml`
        "#);
    }
}
