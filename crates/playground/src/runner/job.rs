//! A job as GitLab hands it to a runner, in the part that our imitation reads.
//!
//! The shapes are those of GitLab's job response (`common/spec/spec.go` of gitlab-runner); a key
//! that is not named here is kept when the job came from a recorded response, and ignored.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// One job, from its response or built by hand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GitLabJob {
    /// GitLab's number of the job.
    pub id: u64,
    /// The job's token. A secret.
    pub token: String,
    /// Names and project of the job.
    pub job_info: JobInfo,
    /// What `get_sources` fetches.
    pub git_info: GitInfo,
    /// What the runner is told about itself.
    pub runner_info: RunnerInfo,
    /// The job's variables, in order; a later one of the same name wins.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub variables: Vec<JobVariable>,
    /// The scripts of the job: `script`, `after_script` and steps that the server adds.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub steps: Vec<JobStep>,
    /// The image that the job asks for.
    #[serde(default)]
    pub image: Option<JobImage>,
    /// The services that the job asks for, as GitLab wrote them.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub services: Vec<JobService>,
    /// What is uploaded after the scripts.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub artifacts: Vec<JobArtifact>,
    /// What is kept between jobs.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub cache: Vec<JobCache>,
    /// Jobs whose artifacts are fetched first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub dependencies: Vec<JobDependency>,
    /// Scripts before and after the sources are fetched.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub hooks: Vec<JobHook>,
    /// The response that this job was read from, byte for byte.
    #[serde(skip)]
    received: Option<String>,
}

/// Names and project of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobInfo {
    /// Name of the job in the pipeline's file.
    pub name: String,
    /// Name of its stage in the pipeline.
    #[serde(default)]
    pub stage: String,
    /// GitLab's number of the project.
    pub project_id: u64,
    /// Last part of the project's path.
    #[serde(default)]
    pub project_name: String,
}

/// What `get_sources` fetches.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GitInfo {
    /// Address of the repository, with the job's token in it.
    pub repo_url: String,
    /// Branch or tag.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// The commit.
    pub sha: String,
    /// What to fetch, in git's words.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub refspecs: Vec<String>,
    /// How many commits to fetch; 0 fetches all.
    #[serde(default)]
    pub depth: u32,
}

/// What the runner is told about itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunnerInfo {
    /// Longest time of the whole job, in seconds.
    pub timeout: u64,
}

/// One variable of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobVariable {
    /// Its name.
    pub key: String,
    /// Its value; not expanded yet.
    pub value: String,
    /// Whether scripts see the path of a file that holds the value.
    #[serde(default)]
    pub file: bool,
    /// Whether GitLab hides the value in the log.
    #[serde(default)]
    pub masked: bool,
    /// Whether references to other variables in it stay as they are.
    #[serde(default)]
    pub raw: bool,
}

/// One script of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobStep {
    /// `script`, `after_script`, or a name that the server chose.
    pub name: String,
    /// The lines, each echoed before it runs.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub script: Vec<String>,
}

/// The image of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobImage {
    /// Its reference; empty where the job names none.
    #[serde(default)]
    pub name: String,
}

/// One service of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobService {
    /// Reference of its image.
    pub name: String,
    /// Host names, separated by comma or blank.
    #[serde(default)]
    pub alias: Option<String>,
    /// Replaces the image's entry point.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    #[serde(default)]
    pub command: Option<Vec<String>>,
}

/// When artifacts or a cache are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadCondition {
    /// After a job that passed.
    #[default]
    OnSuccess,
    /// After a job that did not.
    OnFailure,
    /// After every job.
    Always,
}

impl UploadCondition {
    /// Whether this applies to a job that passed, or that did not.
    #[must_use]
    pub fn applies(self, passed: bool) -> bool {
        matches!(
            (self, passed),
            (Self::Always, _) | (Self::OnSuccess, true) | (Self::OnFailure, false)
        )
    }
}

/// One set of artifacts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobArtifact {
    /// Name of the archive.
    #[serde(default)]
    pub name: String,
    /// What goes in.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub paths: Vec<String>,
    /// When it is uploaded.
    #[serde(default, deserialize_with = "empty_is_default")]
    pub when: UploadCondition,
}

/// One cache.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobCache {
    /// Which jobs share it.
    pub key: String,
    /// What goes in.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub paths: Vec<String>,
    /// `pull`, `push` or `pull-push`.
    #[serde(default)]
    pub policy: String,
    /// When it is written.
    #[serde(default, deserialize_with = "empty_is_default")]
    pub when: UploadCondition,
}

/// A job whose artifacts are fetched first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobDependency {
    /// GitLab's number of that job.
    pub id: u64,
    /// The token that may fetch them.
    pub token: String,
    /// Name of that job.
    #[serde(default)]
    pub name: String,
    /// The archive; absent where that job kept none.
    #[serde(default)]
    pub artifacts_file: Option<Value>,
}

/// A script before or after the sources are fetched.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobHook {
    /// `pre_get_sources_script` or `post_get_sources_script`.
    pub name: String,
    /// Its lines.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub script: Vec<String>,
}

impl GitLabJob {
    /// A job of our own: `script` and nothing else, in the repository at `repo_url`.
    #[must_use]
    pub fn new(id: u64, name: &str, git_info: GitInfo, script: &[&str]) -> Self {
        Self {
            id,
            token: format!("glcbt-local-{id}"),
            job_info: JobInfo {
                name: name.to_owned(),
                stage: "test".to_owned(),
                project_id: 7,
                project_name: "project".to_owned(),
            },
            git_info,
            runner_info: RunnerInfo { timeout: 3600 },
            variables: Vec::new(),
            steps: vec![JobStep::new("script", script)],
            image: Some(JobImage::default()),
            services: Vec::new(),
            artifacts: Vec::new(),
            cache: Vec::new(),
            dependencies: Vec::new(),
            hooks: Vec::new(),
            received: None,
        }
    }

    /// Reads a response as GitLab sent it; [`GitLabJob::response`] gives the same bytes back.
    ///
    /// # Errors
    ///
    /// What is missing or of another type, with its place in the text.
    pub fn read(response: &str) -> serde_json::Result<Self> {
        let mut job: Self = serde_json::from_str(response)?;
        job.received = Some(response.to_owned());
        Ok(job)
    }

    /// What the file behind `JOB_RESPONSE_FILE` holds.
    #[must_use]
    pub fn response(&self) -> String {
        match &self.received {
            Some(text) => text.clone(),
            None => serde_json::to_string(self).expect("a job has only string keys"),
        }
    }

    /// The same job with one more variable, which references are not expanded in.
    #[must_use]
    pub fn with_variable(mut self, key: &str, value: &str) -> Self {
        let variable = JobVariable {
            key: key.to_owned(),
            value: value.to_owned(),
            raw: true,
            ..JobVariable::default()
        };
        self.variables.push(variable);
        self
    }

    /// The same job with an `after_script`.
    #[must_use]
    pub fn with_after_script(mut self, script: &[&str]) -> Self {
        self.steps.push(JobStep::new("after_script", script));
        self
    }

    /// The last value of a job variable.
    #[must_use]
    pub fn variable(&self, key: &str) -> Option<&str> {
        self.variables.iter().rev().find(|v| v.key == key).map(|v| v.value.as_str())
    }

    /// How often a stage is tried: the variable `key`, from 1 to 10, else once.
    #[must_use]
    pub fn attempts(&self, key: &str) -> u32 {
        self.variable(key)
            .and_then(|value| value.parse().ok())
            .filter(|count| (1..=10).contains(count))
            .unwrap_or(1)
    }

    /// A time-out that the job sets for itself in the variable `key`, such as "5m".
    #[must_use]
    pub fn own_timeout(&self, key: &str) -> Option<Duration> {
        self.variable(key).and_then(duration_of)
    }

    /// The lines of the step `name`, if it has any.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&JobStep> {
        self.steps.iter().find(|step| step.name == name && !step.script.is_empty())
    }

    /// The lines of the hook `name`.
    #[must_use]
    pub fn hook(&self, name: &str) -> &[String] {
        self.hooks.iter().find(|hook| hook.name == name).map_or(&[], |hook| &hook.script)
    }

    /// Path of the project below the server, from the repository's address: `group/project`.
    #[must_use]
    pub fn project_path(&self) -> &str {
        let url = self.git_info.repo_url.as_str();
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = after_scheme.split_once('/').map_or(after_scheme, |(_, path)| path);
        path.strip_suffix(".git").unwrap_or(path)
    }
}

impl JobStep {
    /// A step of these lines.
    #[must_use]
    pub fn new(name: &str, script: &[&str]) -> Self {
        Self { name: name.to_owned(), script: script.iter().map(|&line| line.to_owned()).collect() }
    }
}

/// A length of time as GitLab's variables write it ("90s", "1h30m"); a bare number is none.
fn duration_of(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end =
            rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let one = match &rest[digits..unit_end] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return None,
        };
        total = total.checked_add(one.checked_mul(u32::try_from(number).ok()?)?)?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

/// GitLab writes `null` for a list without items.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// GitLab writes an empty text, or `null`, for the usual `when`.
fn empty_is_default<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<UploadCondition, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    match text.as_deref() {
        None | Some("" | "on_success") => Ok(UploadCondition::OnSuccess),
        Some("on_failure") => Ok(UploadCondition::OnFailure),
        Some("always") => Ok(UploadCondition::Always),
        Some(other) => Err(serde::de::Error::custom(format!(
            "`when` is {other:?}; it can be on_success, on_failure or always"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> GitLabJob {
        let git = GitInfo {
            repo_url: "http://gitlab-ci-token:x@127.0.0.1:8080/group/sub/project.git".to_owned(),
            ..GitInfo::default()
        };
        GitLabJob::new(7, "lint", git, &["true"])
    }

    #[test]
    fn the_project_path_has_neither_host_nor_suffix() {
        assert_eq!(job().project_path(), "group/sub/project");
    }

    #[test]
    fn a_response_comes_back_byte_for_byte() {
        let text = serde_json::to_string_pretty(&job())
            .unwrap()
            .replace("\"hooks\": []", "\"hooks\": null");
        assert_eq!(GitLabJob::read(&text).unwrap().response(), text);
    }

    #[test]
    fn durations_are_read_as_gitlab_writes_them() {
        assert_eq!(duration_of("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration_of("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration_of("5"), None);
        assert_eq!(duration_of("5 parsecs"), None);
    }

    #[test]
    fn attempts_outside_one_to_ten_count_as_one() {
        let tries = |value| {
            job().with_variable("GET_SOURCES_ATTEMPTS", value).attempts("GET_SOURCES_ATTEMPTS")
        };
        assert_eq!(
            [tries("3"), tries("10"), tries("11"), tries("0"), tries("x")],
            [3, 10, 1, 1, 1]
        );
    }
}
