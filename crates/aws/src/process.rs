//! Runs the `credential_process` of a profile, a command that prints credentials.
//!
//! The command has a time limit, and its output has a size limit. When nobody waits for it any
//! more, it is killed with everything that it started. A process that it leaves behind with its
//! output open is killed as well; a process that closed the output is left alone.
//!
//! Its output is never repeated, not even in an error: it holds secrets. Whoever wants to see it
//! runs the command by hand.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Process credential provider".

use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, error::CredentialsError, future};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::credential_error::NoCredentials;
use crate::profiles::ProcessSetting;

/// Longest output that is read, in bytes. Session tokens have a few kilobytes.
const LONGEST_OUTPUT: u64 = 64 * 1024;
/// How long to wait for the rest of the output after the process has ended.
const AFTER_END: Duration = Duration::from_secs(1);
/// The exit status of `sh` if it cannot run the command. Source: POSIX, "Exit Status for Commands".
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Gets credentials from one process.
#[derive(Debug)]
pub struct ProcessProvider {
    /// The process.
    pub setting: ProcessSetting,
    /// How long to wait for it.
    pub limit: Duration,
}

/// What the process did wrong, and whether it may do better a moment later.
struct ProcessError {
    text: String,
    passing: bool,
}

impl ProcessError {
    fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), passing: false }
    }

    fn passing(text: impl Into<String>) -> Self {
        Self { text: text.into(), passing: true }
    }
}

impl ProcessProvider {
    async fn credentials(&self) -> provider::Result {
        self.run().await.map_err(|fault| {
            let ProcessSetting { profile, path, line, .. } = &self.setting;
            let path = path.to_string_lossy();
            let text = format!("Its credential_process (line {line} of {path}) {}.", fault.text);
            let why = CauseReport::new(FailureCause::AwsProfile)
                .with("profile", profile)
                .with("path", &path);
            let why = Box::new(why.because(text::escape(&text)));
            CredentialsError::provider_error(NoCredentials { why, passing: fault.passing })
        })
    }

    async fn run(&self) -> Result<Credentials, ProcessError> {
        if self.setting.command.trim().is_empty() {
            return Err(ProcessError::lasting("is empty"));
        }
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.setting.command).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn();
        let child =
            child.map_err(|error| ProcessError::passing(format!("cannot be started: {error}")))?;
        let mut group = ProcessGroup { child };
        let output = timeout(self.limit, group.output()).await.map_err(|_| {
            ProcessError::passing(format!("did not end within {}", text::duration(self.limit)))
        })??;
        credentials(&output)
    }
}

impl ProvideCredentials for ProcessProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// A child and everything that it started. Dropping this kills all of them.
struct ProcessGroup {
    child: Child,
}

impl ProcessGroup {
    async fn output(&mut self) -> Result<Vec<u8>, ProcessError> {
        let mut bytes = Vec::new();
        let stdout = self.child.stdout.take();
        let id = self.child.id();
        let ended = {
            let mut reading = pin!(read(stdout, &mut bytes));
            tokio::select! {
                biased;
                // The output is longer than the limit, so kill it; or it was closed, and the
                // process will end soon.
                all = &mut reading => {
                    all?;
                    self.child.wait().await
                }
                ended = self.child.wait() => {
                    match timeout(AFTER_END, &mut reading).await {
                        Ok(all) => all?,
                        // A process that it started holds the output open, so the group still
                        // exists under this id.
                        Err(_) => end_group(id),
                    }
                    ended
                }
            }
        };
        let status = ended.map_err(|error| ProcessError::passing(format!("was lost: {error}")))?;
        match status.code() {
            Some(0) => Ok(bytes),
            Some(NOT_EXECUTABLE) => Err(ProcessError::lasting(
                "names a command that may not be executed (exit status 126)",
            )),
            Some(NOT_FOUND) => {
                Err(ProcessError::lasting("names a command that is not there (exit status 127)"))
            }
            // The service that the process asks may be down for a moment.
            _ => Err(ProcessError::passing(format!("failed: {status}"))),
        }
    }
}

/// Reads everything, up to a limit.
async fn read(stdout: Option<ChildStdout>, bytes: &mut Vec<u8>) -> Result<(), ProcessError> {
    let Some(stdout) = stdout else { return Ok(()) };
    let read = stdout.take(LONGEST_OUTPUT + 1).read_to_end(bytes).await;
    read.map_err(|error| ProcessError::passing(format!("cannot be read: {error}")))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST_OUTPUT {
        let kib = LONGEST_OUTPUT / 1024;
        return Err(ProcessError::lasting(format!("printed more than {kib} KiB")));
    }
    Ok(())
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The child is not reaped yet, so its id still belongs to this group.
        end_group(self.child.id());
    }
}

fn end_group(id: Option<u32>) {
    if let Some(id) = id.and_then(|id| i32::try_from(id).ok()) {
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}

/// What the process prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessOutput {
    version: Option<i64>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    expiration: Option<String>,
}

fn credentials(output: &[u8]) -> Result<Credentials, ProcessError> {
    let read: ProcessOutput = serde_json::from_slice(output).map_err(|error| {
        // The error's own message might repeat a part of the output.
        let (line, column) = (error.line(), error.column());
        ProcessError::lasting(format!(
            "printed no JSON that can be read, from line {line}, column {column} on"
        ))
    })?;
    match read.version {
        Some(1) => {}
        Some(version) => {
            let text = format!("printed the Version {version}, and only 1 is known");
            return Err(ProcessError::lasting(text));
        }
        None => return Err(ProcessError::lasting("printed no Version")),
    }
    let given = |name: &str, value: Option<String>| {
        let value = value.filter(|value| !value.trim().is_empty());
        value.ok_or_else(|| ProcessError::lasting(format!("printed no {name}")))
    };
    let end = read.expiration.map(|time| {
        let time = DateTime::from_str(&time, Format::DateTimeWithOffset).ok();
        let time = time.and_then(|time| SystemTime::try_from(time).ok());
        match time {
            Some(time) if time > SystemTime::now() => Ok(time),
            // A moment later it may print new ones.
            Some(_) => Err(ProcessError::passing("printed an Expiration that is in the past")),
            None => Err(ProcessError::lasting("printed an Expiration that is no time of RFC 3339")),
        }
    });
    Ok(Credentials::new(
        given("AccessKeyId", read.access_key_id)?,
        given("SecretAccessKey", read.secret_access_key)?,
        read.session_token.filter(|token| !token.is_empty()),
        end.transpose()?,
        "credential_process",
    ))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::call::CallError;
    use fargate_mask::SharedMasker;

    async fn of(command: &str, limit: Duration) -> Result<Credentials, String> {
        let setting = ProcessSetting {
            source: "s".to_owned(),
            command: command.to_owned(),
            profile: "ci".to_owned(),
            path: PathBuf::from("/home/ci/.aws/config"),
            line: 2,
        };
        let provider = ProcessProvider { setting, limit };
        let given = provider.provide_credentials().await;
        given.map_err(|error| {
            CallError::of_credentials(&error, &SharedMasker::default()).to_string()
        })
    }

    const PATIENT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_a_process_prints_is_taken_with_its_end() {
        let json = r#"{"Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2096-05-02T18:36:00+00:00", "AccountId": "1"}"#;
        let given = of(&format!("printf '%s\\n' '{json}'"), PATIENT).await.unwrap();
        assert_eq!((given.access_key_id(), given.session_token()), ("ASIA1", Some("t")));
        assert!(given.expiry().is_some());
    }

    #[tokio::test]
    async fn what_a_process_does_wrong_is_told_without_a_word_of_its_output() {
        for (command, words) in [
            ("echo canary >&2; echo canary; exit 3", "failed: exit status: 3"),
            ("kill -9 $$", "failed: signal: 9 (SIGKILL)"),
            ("/no/such/canary-program", "names a command that is not there (exit status 127)"),
            ("/", "names a command that may not be executed (exit status 126)"),
            (" ", "is empty"),
            (
                "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"canary\", \"Expiration\": \"2020-01-01T00:00:00Z\"}'",
                "printed an Expiration that is in the past",
            ),
            (
                "echo '{\"Version\": \"canary\"}'",
                "printed no JSON that can be read, from line 1, column 20 on",
            ),
            ("echo 'canary'", "printed no JSON that can be read, from line 1, column 1 on"),
            ("true", "printed no JSON that can be read, from line 1, column 0 on"),
            ("echo '{\"Version\": 2}'", "printed the Version 2, and only 1 is known"),
            ("echo '{\"AccessKeyId\": \"canary\"}'", "printed no Version"),
            ("echo '{\"Version\": 1, \"AccessKeyId\": \"canary\"}'", "printed no SecretAccessKey"),
            (
                "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"canary\", \"Expiration\": \"canary\"}'",
                "printed an Expiration that is no time of RFC 3339",
            ),
            ("yes canary", "printed more than 64 KiB"),
        ] {
            let expected = format!(
                "the AWS profile ci gives no credentials: Its credential_process (line 2 of /home/ci/.aws/config) {words}."
            );
            assert_eq!(of(command, PATIENT).await.unwrap_err(), expected, "{command}");
        }
    }

    #[tokio::test]
    async fn what_a_process_leaves_with_its_output_open_is_ended_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let json = r#"{"Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s"}"#;
        let command = format!("sleep 1000 & echo $! >{}; echo '{json}'", pid.display());
        let given = of(&command, PATIENT).await.unwrap();
        assert_eq!(given.access_key_id(), "ASIA1");
        assert_is_gone(&pid);
    }

    #[tokio::test]
    async fn a_process_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        // The process writes its id before it waits. The wait is cut short, so the test does not
        // really wait.
        let command = format!("sleep 1000 & echo $! >{}; wait", pid.display());
        let error = of(&command, Duration::from_millis(500)).await.unwrap_err();
        assert!(error.contains("did not end within 0.50 s"), "{error}");
        assert_is_gone(&pid);
    }

    /// Waits until the process whose id is in this file has ended.
    fn assert_is_gone(pid: &std::path::Path) {
        let id: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        for _ in 0..1000 {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{id} still runs");
    }
}
