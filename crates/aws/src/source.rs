//! The sources of credentials: those of the AWS SDK in its order, each with a time limit and with
//! words for what it lacks.
//!
//! Each load starts again, with the profile files as well, so a running process sees a renewed key.
//! Nothing is cached here.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers".

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use aws_config::Region;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fargate_events::{JobEvent, emit};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text;
use tokio::time::timeout;

use crate::call::CallError;
use crate::causes::find;
use crate::credential_error::{NoCredentials, none};
use crate::endpoints::check_of_credentials;
use crate::http::AwsHttpClient;
use crate::process::ProcessProvider;
use crate::profiles::AwsProfiles;
use fargate_mask::SharedMasker;

/// Longest text of a source that is repeated, in characters.
const LONGEST_TEXT: usize = 400;
/// The variables of the key pair. The SDK's name comes first; GitLab's driver reads the second as
/// well.
const KEY_IDS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"];
const SECRETS: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"];
const WEB_TOKEN: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const METADATA: &str = "instance metadata";
/// The part of a source's time that a process in it may take, so that the error names the process.
const OF_PROCESS: f64 = 0.9;

/// The sources of this host.
#[derive(Clone, Debug)]
pub struct HostCredentials {
    /// Masks what a source says.
    pub masker: SharedMasker,
    /// The way to them.
    pub http: AwsHttpClient,
    /// The Region of the STS that gives roles.
    pub region: String,
    /// The time-outs of each request.
    pub timeouts: TimeoutConfig,
    /// The time limit of each source.
    pub limit: Duration,
}

/// Whether the environment holds a key pair. It does not change while a process runs.
pub fn is_environment() -> bool {
    of_environment().is_some()
}

fn variable(names: &[&str]) -> Option<String> {
    let value = |name: &&str| std::env::var(name).ok().map(|value| value.trim().to_owned());
    names.iter().filter_map(value).find(|value| !value.is_empty())
}

fn of_environment() -> Option<Credentials> {
    let (id, secret) = (variable(&KEY_IDS)?, variable(&SECRETS)?);
    let token = variable(&["AWS_SESSION_TOKEN"]);
    Some(Credentials::new(id, secret, token, None, "the environment"))
}

/// What the sources before the last one lacked.
#[derive(Default)]
struct SourcesTried(String);

impl SourcesTried {
    fn add(&mut self, source: &str, lacks: &str) {
        let between = if self.0.is_empty() { "" } else { ", " };
        let _ = write!(self.0, "{between}{source} ({lacks})");
    }
}

impl HostCredentials {
    async fn credentials(&self) -> provider::Result {
        if let Some(credentials) = of_environment() {
            return Ok(credentials);
        }
        let mut looked = SourcesTried::default();
        let half = match (variable(&KEY_IDS), variable(&SECRETS)) {
            (Some(_), None) => "AWS_SECRET_ACCESS_KEY is not set",
            _ => "AWS_ACCESS_KEY_ID is not set",
        };
        looked.add("environment", half);
        let config = self.provider_config();
        if let Some(credentials) = self.of_profile(&config, &mut looked).await? {
            return Ok(credentials);
        }
        if variable(&[WEB_TOKEN]).is_some() {
            check_of_credentials(&AwsProfiles::read()).map_err(|why| none(why, false))?;
            check_token().map_err(|why| none(why, false))?;
        }
        let web = WebIdentityTokenCredentialsProvider::builder().configure(&config).build();
        let container = EcsCredentialsProvider::builder().configure(&config).build();
        let instance = ImdsCredentialsProvider::builder().configure(&config).build();
        let sources: [(&str, &str, &dyn ProvideCredentials); 2] = [
            ("web identity", lacks_of_web_identity(), &web),
            ("container", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set", &container),
        ];
        for (name, lacks, source) in sources {
            match self.ask(source).await {
                Ok(credentials) => return Ok(told(credentials, name)),
                Err(SourceError::Absent(_)) => looked.add(name, lacks),
                Err(SourceError::Failed { text, passing }) => {
                    let why = CauseReport::new(FailureCause::Credentials);
                    return Err(none(why.because(format!("From the {name}: {text}.")), passing));
                }
                Err(SourceError::Known(error)) => return Err(error),
            }
        }
        // If the metadata does not answer, this host may not be an instance.
        let (text, is_silent) = match self.ask(&instance).await {
            Ok(credentials) => return Ok(told(credentials, METADATA)),
            Err(SourceError::Absent(text) | SourceError::Failed { text, .. }) => of_metadata(&text),
            Err(SourceError::Known(error)) => return Err(error),
        };
        looked.add(METADATA, &text);
        let why = CauseReport::new(FailureCause::CredentialsMissing);
        Err(none(why.because(text::escape(&format!("Looked in: {}.", looked.0))), is_silent))
    }

    fn provider_config(&self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(Some(Region::new(self.region.clone())))
            .with_http_client(self.http.clone())
            .with_retry_config(RetryConfig::disabled())
            .with_timeout_config(self.timeouts.clone())
    }

    /// What the used profile gives, if it exists and gives anything.
    async fn of_profile(
        &self,
        config: &ProviderConfig,
        looked: &mut SourcesTried,
    ) -> Result<Option<Credentials>, CredentialsError> {
        let profiles = AwsProfiles::read();
        profiles.check().map_err(|why| none(why, false))?;
        for line in profiles.harmless() {
            emit(JobEvent::AwsProfileWrongLine { message: format!("passed over: {line}") });
        }
        if profiles.asks_a_service() {
            check_of_credentials(&profiles).map_err(|why| none(why, false))?;
        }
        let name = format!("profile {}", profiles.selected);
        if !profiles.has_selected() {
            looked.add(&name, &format!("not in {}", profiles.places()));
            return Ok(None);
        }
        let mut builder = ProfileFileCredentialsProvider::builder()
            .configure(config)
            .profile_files(profiles.files())
            .profile_name(profiles.selected_for_sdk());
        for setting in profiles.processes() {
            let source = setting.source.clone();
            let limit = self.limit.mul_f64(OF_PROCESS);
            builder = builder.with_custom_provider(source, ProcessProvider { setting, limit });
        }
        match self.ask(&builder.build()).await {
            Ok(credentials) => Ok(Some(told(credentials, &name))),
            Err(SourceError::Absent(_)) => {
                looked.add(&name, "it has no credentials");
                Ok(None)
            }
            Err(SourceError::Failed { text, passing }) => {
                Err(none(profiles.blamed().because(format!("{text}.")), passing))
            }
            Err(SourceError::Known(error)) => Err(error),
        }
    }

    /// Asks one source within its time limit.
    async fn ask(&self, source: &dyn ProvideCredentials) -> Result<Credentials, SourceError> {
        match timeout(self.limit, source.provide_credentials()).await {
            Ok(Ok(credentials)) => Ok(credentials),
            Ok(Err(error)) => Err(SourceError::of(error, &self.masker)),
            Err(_) => {
                let text = format!("No answer within {}", text::duration(self.limit));
                Err(SourceError::Failed { text, passing: true })
            }
        }
    }
}

/// Why a source gave nothing.
enum SourceError {
    /// It does not exist on this host.
    Absent(String),
    /// It exists, but failed.
    Failed { text: String, passing: bool },
    /// It failed, and the error already says everything.
    Known(CredentialsError),
}

impl SourceError {
    fn of(error: CredentialsError, masker: &SharedMasker) -> Self {
        if find::<NoCredentials>(&error).is_some() {
            return Self::Known(error);
        }
        // The outer message only says that it is an error of credentials.
        let cause = error.source();
        let said = cause.map_or_else(|| error.to_string(), text::error_chain);
        let said = said.strip_prefix("ProfileFile provider could not be built: ").unwrap_or(&said);
        // Some messages of the SDK quote a request in Rust's debug format.
        let said = said.split(['{', '\n']).next().unwrap_or_default().trim_end();
        let all = || masker.within(said.trim_end_matches('.'), LONGEST_TEXT);
        if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
            return Self::Absent(all());
        }
        if let Some(call) = of_sts(&error, masker) {
            return Self::Failed { text: format!("STS: {call}"), passing: call.is_transient() };
        }
        let text = all();
        let lower = text.to_ascii_lowercase();
        let silent = ["timed out", "timeout", "took too long", "throttl", "dispatch failure"];
        let passing = matches!(error, CredentialsError::ProviderTimedOut(_))
            || silent.iter().any(|words| lower.contains(words));
        Self::Failed { text, passing }
    }
}

/// What the environment lacks for a web identity.
fn lacks_of_web_identity() -> &'static str {
    match variable(&[WEB_TOKEN]) {
        Some(_) => "AWS_ROLE_ARN is not set",
        None => "AWS_WEB_IDENTITY_TOKEN_FILE is not set",
    }
}

/// Checks that the web identity file named by the environment exists. The SDK's message does not
/// name it.
fn check_token() -> Result<(), CauseReport> {
    let Some(path) = variable(&[WEB_TOKEN]).filter(|_| variable(&["AWS_ROLE_ARN"]).is_some())
    else {
        return Ok(());
    };
    match std::fs::metadata(&path) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = format!("{WEB_TOKEN} names {path}, which cannot be read: {error}.");
            Err(CauseReport::new(FailureCause::Credentials).because(text::escape(&text)))
        }
    }
}

/// The answer of STS, if a role was requested.
fn of_sts(error: &CredentialsError, masker: &SharedMasker) -> Option<CallError> {
    let role = find::<SdkError<AssumeRoleError, HttpResponse>>(error)
        .map(|call| CallError::of(call, masker));
    role.or_else(|| {
        find::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error)
            .map(|call| CallError::of(call, masker))
    })
}

/// Why the instance's metadata gave nothing, and whether it only did not answer, which may happen
/// while an instance starts.
fn of_metadata(text: &str) -> (String, bool) {
    let lower = text.to_ascii_lowercase();
    let has = |words: &str| lower.contains(words);
    if has("404") {
        ("the instance has no role".to_owned(), false)
    } else if has("disabled") {
        ("AWS_EC2_METADATA_DISABLED is true".to_owned(), false)
    } else if has("timed out") || has("timeout") || has("no answer") {
        ("no answer; in a container it needs a hop limit of 2".to_owned(), true)
    } else {
        (text.to_owned(), false)
    }
}

fn told(credentials: Credentials, source: &str) -> Credentials {
    emit(JobEvent::CredentialsLoaded { source: source.to_owned() });
    credentials
}

impl ProvideCredentials for HostCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
