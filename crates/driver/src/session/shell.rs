//! Chooses the shell of a script, if the configuration leaves that to gitlab-runner.
//!
//! It does not check whether the task has the shell.

/// The shells that can run scripts in a task.
const SHELLS: [&str; 2] = ["bash", "sh"];

/// A script for another shell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the script is for `{shell}`, bash and sh are run")]
pub struct UnsupportedShell {
    /// The shell that its first line names.
    pub shell: String,
}

/// The shell for `script`: the configured one. For `runner` it is the one in the script's first
/// line, as gitlab-runner writes it, or `sh` if there is none.
///
/// # Errors
///
/// Returns [`UnsupportedShell`] if the first line names another shell.
pub fn shell_for(configured: &str, script: &[u8]) -> Result<String, UnsupportedShell> {
    if configured != fargate_config::Shell::Runner.as_str() {
        return Ok(configured.to_owned());
    }
    let line = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else { return Ok("sh".to_owned()) };
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let named = match words.next() {
        Some("env") => words.next(),
        named => named,
    };
    match named {
        Some(named) if SHELLS.contains(&named) => Ok(named.to_owned()),
        named => {
            let shell = fargate_model::text::escape_within(named.unwrap_or_default(), 40);
            Err(UnsupportedShell { shell })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_shell_where_the_configuration_does_not() {
        let named = |script: &str| shell_for("runner", script.as_bytes());
        for (script, shell) in [
            ("#!/usr/bin/env bash\n\ntrue", "bash"),
            ("#!/bin/sh\n", "sh"),
            ("#! /bin/bash -e\r\n", "bash"),
            ("echo no first line of that kind", "sh"),
            ("", "sh"),
        ] {
            assert_eq!(named(script).as_deref(), Ok(shell), "{script}");
            assert_eq!(shell_for("bash", script.as_bytes()).as_deref(), Ok("bash"));
        }
        for script in ["#!/usr/bin/env pwsh\n", "#!", "#!/usr/bin/env", "#!/bin/sh;reboot"] {
            assert!(named(script).is_err(), "{script}");
        }
        let error = named("#!/usr/bin/env pwsh").unwrap_err().to_string();
        assert_eq!(error, "the script is for `pwsh`, bash and sh are run");
    }
}
