//! The variables that gitlab-runner gives to a stage, and the one file that it reads back.
//!
//! Variables that a job can set are not read here.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use fargate_fail_point::FailPoint;

/// The two exit codes by which a stage says who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCodes {
    /// The job failed.
    pub build_failure: u8,
    /// Anything else failed.
    pub system_failure: u8,
}

/// The values in gitlab-runner's source, for a gitlab-runner that does not tell them.
pub const FALLBACK_CODES: ExitCodes = ExitCodes { build_failure: 1, system_failure: 2 };

/// A variable that gitlab-runner must give is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable {variable} {problem}; gitlab-runner sets it for each stage")]
pub struct EnvironmentError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// What gitlab-runner puts before the name of each variable of a job.
///
/// Source: gitlab-runner's documentation, "The Custom executor".
const JOB_PREFIX: &str = "CUSTOM_ENV_";

/// The value of a variable of the job. Without the prefix it would be a variable of this host, which
/// no job may set.
pub fn job_variable(lookup: impl Fn(&str) -> Option<OsString>, name: &str) -> Option<OsString> {
    lookup(&format!("{JOB_PREFIX}{name}"))
}

/// The variables of one stage.
#[derive(Clone, Debug)]
pub struct StageEnvironment {
    /// The exit codes.
    pub codes: ExitCodes,
    /// The file for the script's exit code. gitlab-runner before 17.9 names none.
    pub exit_code_file: Option<PathBuf>,
    /// The file with the job's response, which can be trusted. gitlab-runner before 14.1 names
    /// none.
    pub response_file: Option<PathBuf>,
}

fn code(variable: &'static str, value: Option<OsString>) -> Result<u8, EnvironmentError> {
    let error = |problem: String| EnvironmentError { variable, problem };
    let value = value.ok_or_else(|| error("is not set".to_owned()))?;
    let text = value.to_string_lossy();
    text.trim().parse().ok().filter(|code| *code != 0).ok_or_else(|| {
        let given = fargate_model::text::escape_within(&text, 40);
        error(format!("is \"{given}\", a number from 1 to 255 is expected"))
    })
}

impl StageEnvironment {
    /// Reads the variables through `lookup`.
    ///
    /// # Errors
    ///
    /// Returns [`EnvironmentError`] if an exit code is missing or is not a number.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, EnvironmentError> {
        let build = code("BUILD_FAILURE_EXIT_CODE", lookup("BUILD_FAILURE_EXIT_CODE"))?;
        let system = code("SYSTEM_FAILURE_EXIT_CODE", lookup("SYSTEM_FAILURE_EXIT_CODE"))?;
        let codes = ExitCodes { build_failure: build, system_failure: system };
        Ok(Self::with_codes(codes, lookup))
    }

    /// Reads them as [`Self::read`] does. If that fails, a clean-up goes on with the usual codes,
    /// because it must not leave a task behind.
    pub fn read_for_cleanup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        Self::read(&lookup).unwrap_or_else(|_| Self::with_codes(FALLBACK_CODES, lookup))
    }

    fn with_codes(codes: ExitCodes, lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            codes,
            exit_code_file: path("BUILD_EXIT_CODE_FILE"),
            response_file: path("JOB_RESPONSE_FILE"),
        }
    }

    /// Removes the file that an earlier stage of the same try may have written. All stages have the
    /// same file.
    pub fn forget_exit_code(&self) {
        let is_file = |path: &&PathBuf| std::fs::symlink_metadata(path).is_ok_and(|m| m.is_file());
        if let Some(path) = self.exit_code_file.as_ref().filter(is_file) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Writes the script's exit code as the first line of the file.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if the file cannot be written. The stage then still
    /// exits with the code for a failed job.
    pub fn write_exit_code(&self, status: u8) -> std::io::Result<()> {
        let Some(path) = &self.exit_code_file else { return Ok(()) };
        let mut file = std::fs::File::create(path)?;
        writeln!(file, "{status}")?;
        FailPoint::ExitCodeWritten.reached();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<StageEnvironment, EnvironmentError> {
        StageEnvironment::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn a_variable_of_this_host_is_none_of_the_job() {
        let host = |name: &str| (name == "FARGATE_TASK_DEFINITION").then(|| "large".into());
        assert_eq!(job_variable(host, "FARGATE_TASK_DEFINITION"), None);
        let job = |name: &str| (name == "CUSTOM_ENV_FARGATE_TASK_DEFINITION").then(|| "x".into());
        assert_eq!(job_variable(job, "FARGATE_TASK_DEFINITION"), Some("x".into()));
    }

    #[test]
    fn codes_are_read_and_never_guessed() {
        let both = [("BUILD_FAILURE_EXIT_CODE", "1"), ("SYSTEM_FAILURE_EXIT_CODE", "2")];
        let codes = read(&both).unwrap().codes;
        assert_eq!(codes, FALLBACK_CODES);
        for bad in ["", "x", "0", "256", "-1", "1 2"] {
            let variables = [("BUILD_FAILURE_EXIT_CODE", bad), ("SYSTEM_FAILURE_EXIT_CODE", "2")];
            let error = read(&variables).unwrap_err().to_string();
            assert!(error.contains("BUILD_FAILURE_EXIT_CODE"), "{error}");
            assert!(error.contains("a number from 1 to 255"), "{error}");
        }
        let missing = read(&both[..1]).unwrap_err().to_string();
        assert!(missing.contains("SYSTEM_FAILURE_EXIT_CODE is not set"), "{missing}");
    }

    #[test]
    fn an_exit_code_of_an_earlier_stage_is_forgotten_and_nothing_but_a_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: PathBuf| StageEnvironment {
            codes: FALLBACK_CODES,
            exit_code_file: Some(path),
            response_file: None,
        };
        let file = folder.path().join("build_exit_code");
        at(file.clone()).write_exit_code(3).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "3\n");
        at(file.clone()).forget_exit_code();
        assert!(!file.exists());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        at(link.clone()).forget_exit_code();
        assert!(link.is_symlink());
    }

    #[test]
    fn a_clean_up_goes_on_without_codes() {
        let environment = StageEnvironment::read_for_cleanup(|_| None);
        assert_eq!(environment.codes, FALLBACK_CODES);
    }
}
