//! What of a job is secret, for a clean-up that keeps its task: from `JOB_RESPONSE_FILE`, and from the
//! variables of the stage for secrets that gitlab-runner fetched itself.
//!
//! A variable that the job can set only adds to what is wiped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use fargate_state::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;
use zeroize::Zeroizing;

use super::environment::{StageEnvironment, job_variable};
use crate::job::JobTraces;

/// Largest response that is read, in bytes. GitLab's own limit for a job is much lower.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Where gitlab-runner builds if nobody says otherwise.
///
/// Source: gitlab-runner's documentation, "The Custom executor": `builds_dir` has no default there, and
/// the examples name this one.
const USUAL_BUILDS: &str = "/builds";

#[derive(Deserialize)]
struct RawTraces {
    token: Zeroizing<String>,
    #[serde(default)]
    git_info: Option<RawRepository>,
    #[serde(default)]
    variables: Vec<RawTraceVariable>,
    #[serde(default)]
    credentials: Vec<RawTraceLogin>,
    #[serde(default)]
    secrets: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
struct RawRepository {
    #[serde(default)]
    repo_url: String,
}

#[derive(Deserialize)]
struct RawTraceVariable {
    key: String,
    #[serde(default)]
    value: Zeroizing<String>,
    #[serde(default)]
    masked: bool,
    #[serde(default)]
    file: bool,
}

#[derive(Deserialize)]
struct RawTraceLogin {
    #[serde(default)]
    password: Option<Zeroizing<String>>,
}

/// What a kept task must not hold. `None` if that is not known for sure; then no task is kept.
#[must_use]
pub fn job_traces(
    environment: &StageEnvironment,
    configured_builds: Option<&str>,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Option<JobTraces> {
    let path = environment.response_file.as_ref()?;
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
    let mut bytes = Zeroizing::new(Vec::new());
    file.open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let raw: RawTraces = serde_json::from_slice(&bytes).ok()?;
    let variable = |name: &str| job_variable(&lookup, name)?.into_string().ok();
    let mut secrets = vec![raw.token];
    let is_secret = |variable: &RawTraceVariable| {
        variable.masked || variable.file || variable.key == "CI_JOB_TOKEN"
    };
    secrets.extend(raw.variables.into_iter().filter(is_secret).map(|variable| variable.value));
    secrets.extend(raw.credentials.into_iter().filter_map(|login| login.password));
    let url = raw.git_info.and_then(|git| Url::parse(&git.repo_url).ok());
    secrets
        .extend(url.as_ref().and_then(Url::password).map(|word| Zeroizing::new(word.to_owned())));
    let fetched = raw.secrets.unwrap_or_default();
    secrets.extend(fetched.keys().filter_map(|name| variable(name).map(Zeroizing::new)));
    let folders = [configured_builds.map(str::to_owned), variable("CI_BUILDS_DIR")];
    let mut build_folders = vec![USUAL_BUILDS.to_owned()];
    build_folders.extend(folders.into_iter().flatten().filter(|folder| folder.starts_with("/")));
    Some(JobTraces { secrets: secrets.into_iter().map(SecretString::new).collect(), build_folders })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitlab::FALLBACK_CODES;

    fn traces(response: &str, variables: &[(&str, &str)]) -> Option<JobTraces> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("response.json");
        std::fs::write(&path, response).unwrap();
        let environment = StageEnvironment {
            codes: FALLBACK_CODES,
            exit_code_file: None,
            response_file: Some(path),
        };
        job_traces(&environment, Some("/work"), |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn tokens_file_variables_masked_ones_logins_and_fetched_secrets_are_traces() {
        let response = r#"{"token": "job-token", "git_info": {"repo_url": "https://u:url-word@h/g/p.git"},
            "variables": [{"key": "PLAIN", "value": "plain"}, {"key": "K", "value": "masked", "masked": true},
                {"key": "F", "value": "file", "file": true}],
            "credentials": [{"password": "login"}, {}], "secrets": {"VAULT": {"vault": {}}}}"#;
        let variables = [
            ("CUSTOM_ENV_VAULT", "fetched"),
            ("CUSTOM_ENV_CI_BUILDS_DIR", "/b"),
            ("VAULT", "ours"),
        ];
        let traces = traces(response, &variables).unwrap();
        let secrets: Vec<&str> = traces.secrets.iter().map(SecretString::expose).collect();
        assert_eq!(secrets, ["job-token", "masked", "file", "login", "url-word", "fetched"]);
        assert_eq!(traces.build_folders, ["/builds", "/work", "/b"]);
        assert!(!format!("{traces:?}").contains("masked"));
    }

    #[test]
    fn a_response_that_is_not_understood_keeps_no_task() {
        for response in
            ["", "{}", r#"{"token": 7}"#, r#"{"token": "t", "variables": [{"key": 5}]}"#]
        {
            assert!(traces(response, &[]).is_none(), "{response}");
        }
    }
}
