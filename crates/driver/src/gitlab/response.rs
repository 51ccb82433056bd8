//! Who the job is, from `JOB_RESPONSE_FILE`, which gitlab-runner writes. Nothing that a job can set
//! is used.
//!
//! Only if gitlab-runner gives no such file (before 14.1), the variables `CUSTOM_ENV_*` are used,
//! with a warning. A file that exists but cannot be read is an error; the variables are not used
//! then.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fargate_config::TrustedFacts;
use fargate_mask::SharedMasker;
use fargate_model::job::JobIdentity;
use fargate_model::lifetime::MAX_JOB_TIMEOUT;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;
use zeroize::Zeroizing;

use super::environment::StageEnvironment;

/// Largest response that is read, in bytes. GitLab's own limit for a job is much lower.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes of masked variables that are searched for in our own texts.
const MAX_SECRETS: usize = 64 * 1024;

/// Most services that are looked at. Ours: each costs a line of the job's log.
const MAX_SERVICES: usize = 20;

/// Why the job is not known.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The file cannot be read.
    #[error("reading the job's response file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not as gitlab-runner writes it.
    #[error("reading the job's response file {}: {what}", path.display())]
    NotAJob {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. No value in it is repeated.
        what: String,
    },
    /// There is no file, and the variables do not say it either.
    #[error(
        "the file that JOB_RESPONSE_FILE names does not exist, and {variable} is missing or wrong. Use gitlab-runner 14.1 or newer"
    )]
    NoSubstitute {
        /// The variable that is missing.
        variable: &'static str,
    },
}

/// What the stages need to know of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobResponse {
    /// Its identity.
    pub identity: JobIdentity,
    /// Its time limit, if the response names one.
    pub timeout: Option<Duration>,
    /// Its pipeline, for a tag.
    pub pipeline: Option<u64>,
    /// What the forge says of it that decides which profile it gets. Without a response file, nothing.
    pub facts: TrustedFacts,
    /// What else the forge says of it, for its history. Nothing is decided by it.
    pub forge: ForgeFacts,
    /// The services that it asks for, by their images.
    pub services: Vec<String>,
    /// Whether this came from variables that the job can set.
    pub untrusted: bool,
    /// When gitlab-runner wrote the response.
    pub written: Option<SystemTime>,
    /// Whether it has more masked variables than are searched for in our own texts.
    pub has_unmasked: bool,
}

/// What people want to know of a job later. Only the response file is read, so a job cannot choose it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForgeFacts {
    /// The job's name.
    pub name: Option<String>,
    /// The branch or tag.
    pub git_ref: Option<String>,
    /// The commit.
    pub sha: Option<String>,
    /// The id of the user who started it.
    pub user_id: Option<u64>,
    /// How long it waited in the forge's queue, in seconds.
    pub queued_s: Option<f64>,
    /// How many jobs waited with it.
    pub queue_size: Option<u64>,
    /// The job's page.
    pub url: Option<String>,
}

#[derive(Deserialize)]
struct RawJobResponse {
    id: u64,
    job_info: RawJobInfo,
    git_info: RawGitInfo,
    #[serde(default)]
    runner_info: Option<RawRunnerInfo>,
    #[serde(default)]
    image: LenientValue<RawImage>,
    #[serde(default)]
    services: LenientValue<Vec<LenientValue<RawImage>>>,
}

#[derive(Deserialize)]
struct RawImage {
    name: String,
}

#[derive(Deserialize)]
struct RawJobInfo {
    project_id: u64,
    #[serde(default)]
    pipeline_id: Option<u64>,
    #[serde(default)]
    project_full_path: Option<String>,
    #[serde(default)]
    name: LenientValue<String>,
    #[serde(default)]
    user_id: LenientValue<u64>,
    #[serde(default)]
    time_in_queue_seconds: LenientValue<f64>,
    #[serde(default)]
    queue_size: LenientValue<u64>,
}

#[derive(Deserialize)]
struct RawGitInfo {
    repo_url: String,
    #[serde(default)]
    protected: LenientValue<bool>,
    #[serde(default, rename = "ref")]
    git_ref: LenientValue<String>,
    #[serde(default)]
    sha: LenientValue<String>,
}

#[derive(Deserialize)]
struct RawRunnerInfo {
    #[serde(default)]
    timeout: Option<u64>,
}

/// The expected value, or anything else. Something odd in a secret must not fail a job, and must
/// not make us forget the other secrets.
#[derive(Deserialize)]
#[serde(untagged)]
enum LenientValue<T> {
    Right(T),
    Other(IgnoredAny),
}

impl<T> LenientValue<T> {
    fn right(self) -> Option<T> {
        match self {
            Self::Right(value) => Some(value),
            Self::Other(_) => None,
        }
    }
}

impl<T> Default for LenientValue<T> {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

/// The secret parts of a response.
#[derive(Deserialize)]
struct RawSecrets {
    #[serde(default)]
    token: LenientValue<Zeroizing<String>>,
    #[serde(default)]
    variables: LenientValue<Vec<LenientValue<RawVariable>>>,
    #[serde(default)]
    credentials: LenientValue<Vec<LenientValue<RawCredentials>>>,
}

#[derive(Deserialize)]
struct RawVariable {
    #[serde(default)]
    key: LenientValue<String>,
    #[serde(default)]
    value: LenientValue<Zeroizing<String>>,
    /// Missing or null means no. Anything odd means yes.
    #[serde(default)]
    masked: Option<LenientValue<bool>>,
}

impl RawVariable {
    fn secret(self) -> Option<Zeroizing<String>> {
        let masked = self.masked.is_some_and(|masked| masked.right().unwrap_or(true));
        let is_token = || self.key.right().is_some_and(|key| key == "CI_JOB_TOKEN");
        (masked || is_token()).then_some(self.value)?.right()
    }
}

#[derive(Deserialize)]
struct RawCredentials {
    #[serde(default)]
    password: LenientValue<Zeroizing<String>>,
}

/// From here on, masks everything that GitLab masks in this job's log: tokens, logins, and the
/// variables that are marked. Returns `false` if there are more variables than can be masked.
fn remember_secrets(bytes: &[u8], repository: &str, masker: &SharedMasker) -> bool {
    if let Some(password) = Url::parse(repository).ok().as_ref().and_then(Url::password) {
        masker.remember_of_url(password);
    }
    let Ok(secrets) = serde_json::from_slice::<RawSecrets>(bytes) else { return true };
    if let Some(token) = secrets.token.right() {
        masker.remember(&token);
    }
    let logins = secrets.credentials.right().into_iter().flatten().filter_map(LenientValue::right);
    let passwords = logins.filter_map(|login| login.password.right());
    let variables = secrets.variables.right().into_iter().flatten().filter_map(LenientValue::right);
    let (mut room, mut all) = (MAX_SECRETS, true);
    for secret in passwords.chain(variables.filter_map(RawVariable::secret)) {
        all &= masker.remember_within(&secret, &mut room);
    }
    all
}

impl JobResponse {
    /// Reads the job that `environment` names. `masker` learns its secrets.
    ///
    /// # Errors
    ///
    /// Returns [`ResponseError`] if the file cannot be read or is not valid, or if there is no file
    /// and a variable is missing.
    pub fn read(
        environment: &StageEnvironment,
        lookup: impl Fn(&str) -> Option<OsString>,
        masker: &SharedMasker,
    ) -> Result<Self, ResponseError> {
        match &environment.response_file {
            // Non-blocking, because a pipe in the place of the file must not stop the stage.
            Some(path) => match std::fs::OpenOptions::new()
                .read(true)
                .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
                .open(path)
            {
                Ok(file) => Self::parse(path, file, masker),
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                    Self::from_variables(lookup, masker)
                }
                Err(source) => Err(ResponseError::Unreadable { path: path.clone(), source }),
            },
            None => Self::from_variables(lookup, masker),
        }
    }

    fn parse(
        path: &Path,
        file: std::fs::File,
        masker: &SharedMasker,
    ) -> Result<Self, ResponseError> {
        let unreadable = |source| ResponseError::Unreadable { path: path.to_owned(), source };
        let not_a_job = |what: String| ResponseError::NotAJob { path: path.to_owned(), what };
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(not_a_job("it is not a regular file".to_owned()));
        }
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(not_a_job("larger than 64 MiB".to_owned()));
        }
        let raw: RawJobResponse = serde_json::from_slice(&bytes).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            not_a_job(match error.classify() {
                serde_json::error::Category::Eof => format!("cut off at {place}"),
                serde_json::error::Category::Syntax => format!("not JSON at {place}"),
                _ => format!("no job of GitLab's at {place}: id, job_info.project_id and git_info.repo_url are expected"),
            })
        })?;
        let are_masked = remember_secrets(&bytes, &raw.git_info.repo_url, masker);
        let identity =
            JobIdentity::from_repository(&raw.git_info.repo_url, raw.job_info.project_id, raw.id)
                .map_err(|error| not_a_job(error.to_string()))?;
        let services = raw.services.right().into_iter().flatten().take(MAX_SERVICES);
        let named = |text: LenientValue<String>| text.right().filter(|text| !text.is_empty());
        let forge = ForgeFacts {
            name: named(raw.job_info.name),
            git_ref: named(raw.git_info.git_ref),
            sha: named(raw.git_info.sha),
            user_id: raw.job_info.user_id.right(),
            queued_s: raw.job_info.time_in_queue_seconds.right().filter(|s| *s >= 0.0),
            queue_size: raw.job_info.queue_size.right(),
            url: page_of(&raw.git_info.repo_url, raw.id),
        };
        Ok(Self {
            identity,
            timeout: timeout(raw.runner_info.and_then(|runner| runner.timeout)),
            pipeline: raw.job_info.pipeline_id,
            facts: TrustedFacts {
                project: raw
                    .job_info
                    .project_full_path
                    .filter(|path| !path.is_empty())
                    .or_else(|| path_of(&raw.git_info.repo_url)),
                is_protected: raw.git_info.protected.right().unwrap_or(false),
                image: raw.image.right().and_then(RawImage::named),
            },
            forge,
            services: services.filter_map(|raw| raw.right()?.named()).collect(),
            untrusted: false,
            written: metadata.modified().ok(),
            has_unmasked: !are_masked,
        })
    }

    fn from_variables(
        lookup: impl Fn(&str) -> Option<OsString>,
        masker: &SharedMasker,
    ) -> Result<Self, ResponseError> {
        let number = |variable: &'static str| {
            let value = lookup(variable).and_then(|value| value.into_string().ok());
            value
                .and_then(|value| value.parse().ok())
                .ok_or(ResponseError::NoSubstitute { variable })
        };
        if let Some(token) = lookup("CUSTOM_ENV_CI_JOB_TOKEN") {
            masker.remember(&token.to_string_lossy());
        }
        let url = "CUSTOM_ENV_CI_PROJECT_URL";
        let no_url = || ResponseError::NoSubstitute { variable: url };
        let given = lookup(url).and_then(|value| value.into_string().ok()).ok_or_else(no_url)?;
        let project = number("CUSTOM_ENV_CI_PROJECT_ID")?;
        let job = number("CUSTOM_ENV_CI_JOB_ID")?;
        let identity = JobIdentity::from_repository(&given, project, job).map_err(|_| no_url())?;
        Ok(Self {
            identity,
            timeout: timeout(number("CUSTOM_ENV_CI_JOB_TIMEOUT").ok()),
            pipeline: number("CUSTOM_ENV_CI_PIPELINE_ID").ok(),
            facts: TrustedFacts::default(),
            forge: ForgeFacts::default(),
            services: Vec::new(),
            untrusted: true,
            written: None,
            has_unmasked: false,
        })
    }

    /// The job's name in logs and state files: `gl-4411`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("gl-{}", self.identity.job)
    }
}

impl RawImage {
    fn named(self) -> Option<String> {
        Some(self.name).filter(|name| !name.is_empty())
    }
}

/// The page of a job of the project with this repository. No login in the URL is repeated.
fn page_of(repository: &str, job: u64) -> Option<String> {
    let mut url = Url::parse(repository).ok()?;
    let path = path_of(repository)?;
    let is_web = matches!(url.scheme(), "http" | "https");
    (is_web && url.set_username("").is_ok() && url.set_password(None).is_ok()).then_some(())?;
    url.set_path(&format!("{path}/-/jobs/{job}"));
    url.set_query(None);
    url.set_fragment(None);
    Some(url.to_string())
}

/// The path of a project in the URL of its repository.
fn path_of(repository: &str) -> Option<String> {
    let url = Url::parse(repository).ok()?;
    let path = url.path().trim_matches('/');
    Some(path.strip_suffix(".git").unwrap_or(path).to_owned()).filter(|path| !path.is_empty())
}

fn timeout(seconds: Option<u64>) -> Option<Duration> {
    seconds.filter(|seconds| *seconds > 0).map(|s| Duration::from_secs(s).min(MAX_JOB_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitlab::environment::FALLBACK_CODES;

    const JOB: &str = r#"{"id": 4000, "token": "glcbt-secret",
        "job_info": {"project_id": 7, "name": "x"},
        "git_info": {"repo_url": "http://u:glcbt-secret@gitlab.example/group/project.git"},
        "runner_info": {"timeout": 3600}}"#;

    fn read(text: &[u8], variables: &[(&str, &str)]) -> Result<JobResponse, ResponseError> {
        read_with(text, variables, &SharedMasker::default())
    }

    /// What masks the secrets of the job in `text`.
    fn masker_of(text: &str) -> SharedMasker {
        let masker = SharedMasker::default();
        read_with(text.as_bytes(), &[], &masker).unwrap();
        masker
    }

    fn read_with(
        text: &[u8],
        variables: &[(&str, &str)],
        masker: &SharedMasker,
    ) -> Result<JobResponse, ResponseError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("response.json");
        std::fs::write(&path, text).unwrap();
        let environment = StageEnvironment {
            codes: FALLBACK_CODES,
            exit_code_file: None,
            response_file: Some(path),
        };
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        JobResponse::read(&environment, lookup, masker)
    }

    #[test]
    fn the_identity_is_the_response_whatever_the_job_sets() {
        let hostile = [
            ("CUSTOM_ENV_CI_JOB_ID", "1"),
            ("CUSTOM_ENV_CI_PROJECT_ID", "2"),
            ("CUSTOM_ENV_CI_PROJECT_URL", "https://evil.example/x"),
        ];
        let response = read(JOB.as_bytes(), &hostile).unwrap();
        assert!(response.written.is_some());
        let calm = read(JOB.as_bytes(), &[]).unwrap();
        assert_eq!(response, JobResponse { written: response.written, ..calm });
        assert_eq!(response.identity.host, "gitlab.example");
        assert_eq!((response.identity.project, response.identity.job), (7, 4000));
        assert_eq!(response.timeout, Some(Duration::from_secs(3600)));
        assert!(!response.untrusted);
    }

    #[test]
    fn the_history_learns_what_the_forge_says_and_no_login() {
        let text = r#"{"id": 4000, "token": "t", "job_info": {"project_id": 7, "name": "test:e2e",
            "user_id": 42, "time_in_queue_seconds": 0.3, "queue_size": 5},
            "git_info": {"repo_url": "https://u:glcbt-secret@gitlab.example/root/group/project.git",
            "ref": "main", "sha": "9f2c41d0"}}"#;
        let facts = read(text.as_bytes(), &[]).unwrap().forge;
        let expected = ForgeFacts {
            name: Some("test:e2e".into()),
            git_ref: Some("main".into()),
            sha: Some("9f2c41d0".into()),
            user_id: Some(42),
            queued_s: Some(0.3),
            queue_size: Some(5),
            url: Some("https://gitlab.example/root/group/project/-/jobs/4000".into()),
        };
        assert_eq!(facts, expected);
        let odd = text.replace("42", "\"root\"").replace("0.3", "-1").replace("\"main\"", "null");
        let facts = read(odd.as_bytes(), &[]).unwrap().forge;
        assert_eq!((facts.user_id, facts.queued_s, facts.git_ref), (None, None, None));
        assert_eq!(facts.queue_size, Some(5));
    }

    #[test]
    fn a_response_cut_anywhere_is_an_error_that_repeats_no_secret() {
        let usable = [
            ("CUSTOM_ENV_CI_JOB_ID", "1"),
            ("CUSTOM_ENV_CI_PROJECT_ID", "2"),
            ("CUSTOM_ENV_CI_PROJECT_URL", "https://evil.example/x"),
        ];
        for length in 0..JOB.len() - 1 {
            let error = read(&JOB.as_bytes()[..length], &usable).unwrap_err().to_string();
            assert!(!error.contains("glcbt-secret"), "{error}");
        }
    }

    #[test]
    fn hostile_responses_are_errors_and_no_panic() {
        let deep = "[".repeat(100_000);
        let cases: [&[u8]; 7] = [
            b"\xff\xfe",
            b"null",
            b"[]",
            b"{\"id\": -1}",
            b"{\"id\": 1, \"job_info\": {\"project_id\": 1}, \"git_info\": {\"repo_url\": \"\"}}",
            b"{\"id\": 1e400}",
            deep.as_bytes(),
        ];
        for case in cases {
            assert!(
                read(case, &[]).is_err(),
                "{:?}",
                String::from_utf8_lossy(&case[..case.len().min(60)])
            );
        }
    }

    #[test]
    fn whatever_gitlab_masks_is_masked_and_nothing_else() {
        let text = JOB.replace(
            "\"token\": \"glcbt-secret\",",
            r#""token": "canary-response-token", "variables": [
                {"key": "A", "value": "canary-response-masked", "masked": true},
                {"key": "B", "value": "canary-response-open", "masked": false},
                {"key": "CI_JOB_TOKEN", "value": "canary-response-job"}, {}],
            "credentials": [{"type": "registry", "password": "canary-response-login"}, {}],"#,
        );
        let mask = masker_of(&text);
        for secret in ["token", "masked", "job", "login"] {
            assert_eq!(mask.text(&format!("<canary-response-{secret}>")), "<[MASKED]>");
        }
        assert_eq!(mask.text("glcbt-secret canary-response-open"), "[MASKED] canary-response-open");
    }

    #[test]
    fn very_many_secrets_cost_no_memory_without_end() {
        let variable =
            |n| format!(r#"{{"key": "A", "value": "canary-many-{n:06}", "masked": true}},"#);
        let all: String = (0..5000).map(variable).collect();
        let text = JOB.replacen('{', &format!(r#"{{"variables": [{all} {{}}],"#), 1);
        let mask = masker_of(&text);
        assert_eq!(mask.text("canary-many-000000"), "[MASKED]");
        assert_eq!(mask.text("canary-many-004999"), "canary-many-004999");
    }

    #[test]
    fn odd_secrets_are_no_reason_for_a_job_to_fail() {
        let masked =
            |n: usize| format!(r#"{{"key": "K", "value": "canary-odd-{n}", "masked": true}}"#);
        for (n, odd) in [
            r#"{"key": "A", "value": 5, "masked": true}"#,
            r#"{"key": null, "value": "v"}"#,
            r#"{"key": "A", "value": "v", "masked": null}"#,
            r#"{"value": {}}"#,
            "7",
            "null",
        ]
        .iter()
        .enumerate()
        {
            let text = format!(r#"{{"variables": [{odd}, {}],"#, masked(n));
            let mask = masker_of(&JOB.replacen('{', &text, 1));
            assert_eq!(mask.text(&format!("<canary-odd-{n}>")), "<[MASKED]>", "{odd}");
        }
        let odd = r#"{"variables": [{"key": "K", "value": "canary-odd-mark", "masked": "yes"}],"#;
        let mask = masker_of(&JOB.replacen('{', odd, 1));
        assert_eq!(mask.text("<canary-odd-mark>"), "<[MASKED]>");
        for odd in [r#""variables": 5,"#, r#""token": {},"#, r#""credentials": "no","#] {
            let text = JOB.replacen('{', &format!("{{{odd}"), 1).replace(
                if odd.contains("token") { "\"token\": \"glcbt-secret\"," } else { "\0" },
                "",
            );
            read(text.as_bytes(), &[]).unwrap();
        }
    }

    #[test]
    fn variables_count_only_where_there_is_no_file() {
        let environment =
            StageEnvironment { codes: FALLBACK_CODES, exit_code_file: None, response_file: None };
        let variables = |name: &str| match name {
            "CUSTOM_ENV_CI_JOB_ID" => Some("11".into()),
            "CUSTOM_ENV_CI_PROJECT_ID" => Some("12".into()),
            "CUSTOM_ENV_CI_PROJECT_URL" => Some("https://gitlab.example/a/b".into()),
            _ => None,
        };
        let masker = SharedMasker::default();
        let response = JobResponse::read(&environment, variables, &masker).unwrap();
        assert!(response.untrusted);
        assert_eq!(response.identity.job, 11);
        let error = JobResponse::read(&environment, |_| None, &masker).unwrap_err().to_string();
        assert!(error.contains("CUSTOM_ENV_CI_PROJECT_URL"), "{error}");
    }
}
