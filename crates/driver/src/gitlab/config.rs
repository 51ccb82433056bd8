//! The stage `config`: what gitlab-runner must know before the job, as JSON. It prints nothing
//! else.

use fargate_config::{JobProfile, Shell};
use fargate_state::version;
use serde::Serialize;

use super::response::JobResponse;

#[derive(Serialize)]
struct DriverInfo {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct ConfigStageOutput {
    driver: DriverInfo,
    hostname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    builds_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shell: Option<&'static str>,
}

/// The JSON for gitlab-runner. It names `builds_dir` and `cache_dir` only if they are configured,
/// because gitlab-runner's own file usually sets them.
///
/// Source of the keys: gitlab-runner documentation, "The Custom executor", `config_exec`.
#[must_use]
pub fn config(profile: &JobProfile, response: &JobResponse) -> String {
    let key = response.identity.key();
    let output = ConfigStageOutput {
        driver: DriverInfo { name: "fargate-runner", version: &version::this().version },
        hostname: format!("job-{}-{}", response.identity.job, &key.as_str()[..8]),
        builds_dir: profile.builds_dir.clone(),
        cache_dir: profile.cache_dir.clone(),
        shell: match profile.shell {
            Shell::Bash | Shell::Sh => Some(profile.shell.as_str()),
            Shell::Runner => None,
        },
    };
    serde_json::to_string(&output).expect("plain text is JSON")
}
