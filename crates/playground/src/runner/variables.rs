//! The variables of a job with those that the runner adds, expanded.
//!
//! Order decides: the runner's own come first, the job's may shadow them, and what the executor
//! fixes comes last. A reference to a variable that does not exist becomes empty.

use std::path::Path;

use super::job::{GitLabJob, JobService, JobVariable};

/// What `CI_JOB_STATUS` says while a stage runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CiJobStatus {
    /// No user script has ended yet.
    Running,
    /// The user's scripts passed.
    Success,
    /// One of them did not.
    Failed,
    /// Someone cancelled the job in GitLab.
    Canceled,
    /// The script reached its own time-out.
    TimedOut,
}

impl CiJobStatus {
    /// GitLab's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::TimedOut => "timedout",
        }
    }
}

/// Where a job's files lie inside the task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFolders {
    /// Folder of all builds; empty before `config` ended.
    pub builds_dir: String,
    /// Folder of all caches.
    pub cache_dir: String,
    /// The job's own folder below `builds_dir`.
    pub project_dir: String,
}

impl JobFolders {
    /// The folder beside the project for what must outlive a stage.
    #[must_use]
    pub fn temporary(&self) -> String {
        format!("{}.tmp", self.project_dir)
    }

    /// The file of the cache `key`.
    #[must_use]
    pub fn cache_file(&self, job: &GitLabJob, key: &str) -> String {
        format!("{}/{}/{key}/cache.zip", self.cache_dir, job.project_path())
    }
}

/// All variables of one stage, expanded.
#[derive(Clone, Debug)]
pub struct StageVariables(Vec<JobVariable>);

impl StageVariables {
    /// The variables of `job` at `places`, on the runner whose short token is `short_token`.
    #[must_use]
    pub fn of(
        job: &GitLabJob,
        places: &JobFolders,
        status: CiJobStatus,
        short_token: &str,
    ) -> Self {
        let mut all = Vec::new();
        let mut fixed = |key: &str, value: &str| {
            all.push(JobVariable {
                key: key.to_owned(),
                value: value.to_owned(),
                raw: true,
                ..JobVariable::default()
            });
        };
        fixed("FF_TIMESTAMPS", "false");
        fixed("CI_RUNNER_SHORT_TOKEN", short_token);
        fixed("CI_BUILDS_DIR", &places.builds_dir);
        fixed("CI_PROJECT_DIR", &places.project_dir);
        fixed("CI_CONCURRENT_ID", "0");
        fixed("CI_CONCURRENT_PROJECT_ID", "0");
        fixed("CI_SERVER", "yes");
        fixed("CI_JOB_STATUS", status.as_str());
        fixed("CI_JOB_TIMEOUT", &job.runner_info.timeout.to_string());
        if let Some(image) = job.image.as_ref().filter(|image| !image.name.is_empty()) {
            fixed("CI_JOB_IMAGE", &image.name);
        }
        all.extend(job.variables.iter().cloned());
        let mut fixed = |key: &str, value: &str| {
            all.push(JobVariable {
                key: key.to_owned(),
                value: value.to_owned(),
                raw: true,
                ..JobVariable::default()
            });
        };
        fixed("CI_JOB_TOKEN", &job.token);
        fixed("CI_SHARED_ENVIRONMENT", "true");
        fixed("CI_RUNNER_VERSION", env!("CARGO_PKG_VERSION"));
        fixed("RUNNER_TEMP_PROJECT_DIR", &places.temporary());
        Self(expanded(&all))
    }

    /// Every variable once, the last one of each name.
    pub fn iter(&self) -> impl Iterator<Item = &JobVariable> {
        self.0.iter().enumerate().filter_map(|(at, variable)| {
            let again = self.0[at + 1..].iter().any(|later| later.key == variable.key);
            (!again).then_some(variable)
        })
    }

    /// The environment of a driver: `CUSTOM_ENV_` before every name, and the services.
    #[must_use]
    pub fn for_driver(&self, job: &GitLabJob) -> Vec<(String, String)> {
        let mut environment: Vec<_> =
            self.iter().map(|v| (format!("CUSTOM_ENV_{}", v.key), v.value.clone())).collect();
        environment.push(("CUSTOM_ENV_CI_JOB_SERVICES".to_owned(), services(&job.services)));
        environment
    }
}

/// The folder of a project: below the short token where several runners share `builds_dir`.
#[must_use]
pub fn project_dir(job: &GitLabJob, builds_dir: &str, shared: bool, short_token: &str) -> String {
    let mut path = Path::new(builds_dir).to_path_buf();
    if shared {
        path.push(short_token);
        path.push("0");
    }
    path.push(job.project_path());
    path.to_string_lossy().into_owned()
}

/// `CI_JOB_SERVICES`: a JSON array with the first alias of each service, empty without services.
fn services(services: &[JobService]) -> String {
    if services.is_empty() {
        return String::new();
    }
    let items: Vec<_> = services
        .iter()
        .map(|service| {
            let aliases = service.alias.as_deref().unwrap_or_default();
            let first = aliases.split([',', ' ']).next().unwrap_or_default();
            serde_json::json!({
                "name": service.name,
                "alias": first,
                "entrypoint": service.entrypoint,
                "command": service.command,
            })
        })
        .collect();
    serde_json::Value::Array(items).to_string()
}

fn expanded(all: &[JobVariable]) -> Vec<JobVariable> {
    let value_of = |name: &str| {
        all.iter().rev().find(|v| v.key == name).map_or_else(String::new, |v| v.value.clone())
    };
    all.iter()
        .map(|variable| {
            let value = match variable.raw {
                true => variable.value.clone(),
                false => expand(&variable.value, &value_of),
            };
            JobVariable { value, ..variable.clone() }
        })
        .collect()
}

/// Replaces `$NAME` and `${NAME}`; `$$` is one dollar sign. One pass, as the runner does it.
fn expand(text: &str, value_of: &impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            out.push_str(&value_of(name));
            rest = after;
        } else {
            let end =
                rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            match end {
                0 => out.push('$'),
                _ => out.push_str(&value_of(&rest[..end])),
            }
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::job::GitInfo;
    use super::*;

    fn job() -> GitLabJob {
        let git =
            GitInfo { repo_url: "http://h/group/project.git".to_owned(), ..GitInfo::default() };
        GitLabJob::new(1, "a", git, &["true"])
    }

    fn value(variables: &StageVariables, key: &str) -> Option<String> {
        variables.iter().find(|v| v.key == key).map(|v| v.value.clone())
    }

    #[test]
    fn references_are_expanded_once_and_raw_values_are_left_alone() {
        let mut job = job().with_variable("A", "one").with_variable("RAW", "$A");
        let text = "${A}-$A-$$A-$MISSING-100%$".to_owned();
        job.variables.push(JobVariable {
            key: "B".to_owned(),
            value: text,
            ..JobVariable::default()
        });
        let variables = StageVariables::of(&job, &JobFolders::default(), CiJobStatus::Running, "t");
        assert_eq!(value(&variables, "B").as_deref(), Some("one-one-$A--100%$"));
        assert_eq!(value(&variables, "RAW").as_deref(), Some("$A"));
    }

    #[test]
    fn a_job_shadows_the_runner_but_not_the_executor() {
        let job = job()
            .with_variable("CI_CONCURRENT_ID", "../x")
            .with_variable("RUNNER_TEMP_PROJECT_DIR", "/");
        let places =
            JobFolders { project_dir: "/builds/group/project".to_owned(), ..JobFolders::default() };
        let variables = StageVariables::of(&job, &places, CiJobStatus::Running, "t");
        assert_eq!(value(&variables, "CI_CONCURRENT_ID").as_deref(), Some("../x"));
        assert_eq!(
            value(&variables, "RUNNER_TEMP_PROJECT_DIR").as_deref(),
            Some("/builds/group/project.tmp")
        );
    }

    #[test]
    fn a_shared_builds_dir_has_one_folder_per_runner() {
        assert_eq!(project_dir(&job(), "/builds", false, "abc"), "/builds/group/project");
        assert_eq!(project_dir(&job(), "/builds", true, "abc"), "/builds/abc/0/group/project");
    }
}
