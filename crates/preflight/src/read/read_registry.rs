//! Reads the secrets with logins of registries, whether the secrets of jobs are there, the log groups, and, where
//! asked for, what registries say.
//!
//! The password is read, and nothing of it is kept: the masker learns it, and the view has the user alone.

use std::collections::{BTreeMap, BTreeSet};

use fargate_aws::{AwsAccount, CallError, SecretDescription, retry};
use fargate_config::{JobProfile, TaskArchitecture};
use fargate_registry::{
    ImageReference, RegistryCredentials, RegistryError, RegistrySecret, RegistrySecretError,
    RegistrySettings, pin_image,
};
use futures_util::future::{join, join_all};
use tokio::time::{Instant, timeout_at};

use crate::job_needs::JobNeeds;
use crate::read::asked::asked;
use crate::read::named_image::named_image;
use crate::reading::AwsReading;
use crate::views::{
    ClusterView, ImageAnswer, LogGroupUse, RegistrySecretView, RegistryView, SecretForm,
};

const DESCRIBE: &str = "secretsmanager:DescribeSecret";
const VALUE: &str = "secretsmanager:GetSecretValue";
const POLICY: &str = "secretsmanager:GetResourcePolicy";

/// The registry secrets of all task definitions.
pub(crate) fn registry_secrets(cluster: &ClusterView, needs: &JobNeeds) -> BTreeSet<String> {
    let of_definitions =
        cluster.definitions.iter().filter_map(|found| found.known()?.as_ref().ok());
    let of_profiles = needs.profiles.iter().filter_map(|profile| profile.registry_secret.clone());
    of_definitions
        .flat_map(|facts| facts.registry_secrets.iter().cloned())
        .chain(of_profiles)
        .collect()
}

/// Reads all of it, side by side.
pub(crate) async fn read_registry(
    account: &AwsAccount,
    needs: &JobNeeds,
    cluster: &ClusterView,
    deadline: Instant,
) -> RegistryView {
    let Some(first) = needs.profiles.first() else { return RegistryView::default() };
    let secrets = registry_secrets(cluster, needs);
    let secrets = join_all(secrets.into_iter().map(|name| async {
        let found = read_secret(account, first, &name, deadline).await;
        (name, found)
    }));
    let definitions = cluster.definitions.iter().filter_map(|found| found.known()?.as_ref().ok());
    let groups: BTreeSet<LogGroupUse> =
        definitions.flat_map(|facts| facts.log_groups.iter().cloned()).collect();
    let groups = join_all(groups.into_iter().map(|group| async {
        let region = group.region.as_deref();
        let found = asked("logs:DescribeLogGroups", deadline, || {
            account.has_log_group(region, &group.name)
        })
        .await;
        (group, found)
    }));
    let images = read_images(account, needs, cluster, deadline);
    let job_secrets = join_all(job_secrets(cluster).into_iter().map(|arn| async {
        let found = describe_job_secret(account, first, &arn, deadline).await;
        (arn, found)
    }));
    let ((secrets, job_secrets), (log_groups, images)) =
        join(join(secrets, job_secrets), join(groups, images)).await;
    RegistryView {
        secrets: secrets.into_iter().collect(),
        job_secrets: job_secrets.into_iter().collect(),
        log_groups: log_groups.into_iter().collect(),
        images: images.into_iter().collect(),
    }
}

async fn read_secret(
    account: &AwsAccount,
    profile: &JobProfile,
    name: &str,
    deadline: Instant,
) -> RegistrySecretView {
    let secret = match RegistrySecret::open(name, profile, account.masker()).await {
        Ok(secret) => secret,
        Err(error) => return unopened(&error),
    };
    let describe = read_description(&secret, name, deadline);
    let form = timeout_at(deadline, secret.read());
    let policy = asked(POLICY, deadline, || secret.client().policy(name));
    let ((description, policy), form) = join(join(describe, policy), form).await;
    let form = match form {
        Ok(read) => form_of(read),
        Err(_) => AwsReading::NotRead { why: format!("{VALUE}: no answer before the deadline") },
    };
    let key = description.known().and_then(|found| found.as_ref()?.kms_key.clone());
    let (key, key_policy) = match key {
        None => (None, AwsReading::default()),
        Some(id) => {
            let facts = asked("kms:DescribeKey", deadline, || account.kms_key(&id));
            let policy = asked("kms:GetKeyPolicy", deadline, || account.kms_key_policy(&id));
            let (facts, policy) = join(facts, policy).await;
            (Some(facts), policy)
        }
    };
    RegistrySecretView { description, form, policy, key, key_policy }
}

/// The secret's client cannot be made, for example because a proxy in the settings is none.
fn unopened(error: &RegistrySecretError) -> RegistrySecretView {
    let why = error.to_string();
    RegistrySecretView {
        description: AwsReading::NotRead { why: why.clone() },
        form: AwsReading::NotRead { why },
        ..RegistrySecretView::default()
    }
}

/// The secrets of Secrets Manager that containers get, by their ARNs: without the part of the value that a
/// definition names behind it.
fn job_secrets(cluster: &ClusterView) -> BTreeSet<String> {
    let definitions = cluster.definitions.iter().filter_map(|found| found.known()?.as_ref().ok());
    let named = definitions.flat_map(|facts| &facts.secrets);
    let of_manager = named.filter(|from| from.contains(":secretsmanager:"));
    of_manager.map(|from| from.splitn(8, ':').take(7).collect::<Vec<_>>().join(":")).collect()
}

/// Asks for the description alone: nobody but ECS reads the value.
async fn describe_job_secret(
    account: &AwsAccount,
    profile: &JobProfile,
    arn: &str,
    deadline: Instant,
) -> AwsReading<Option<SecretDescription>> {
    // The client of the Region that the ARN names. This makes no call.
    match RegistrySecret::open(arn, profile, account.masker()).await {
        Ok(secret) => read_description(&secret, arn, deadline).await,
        Err(error) => AwsReading::NotRead { why: error.to_string() },
    }
}

async fn read_description(
    secret: &RegistrySecret,
    name: &str,
    deadline: Instant,
) -> AwsReading<Option<SecretDescription>> {
    let answer: Result<_, CallError> = retry(deadline, || secret.client().describe(name)).await;
    AwsReading::of(DESCRIBE, answer)
}

fn form_of(read: Result<RegistryCredentials, RegistrySecretError>) -> AwsReading<SecretForm> {
    match read {
        Ok(login) => AwsReading::Known(SecretForm::Login { user: login.username().to_owned() }),
        Err(RegistrySecretError::Missing { .. }) => AwsReading::Known(SecretForm::Empty),
        Err(RegistrySecretError::MarkedForDeletion { .. }) => {
            AwsReading::Known(SecretForm::Wrong {
                why: "it is marked for deletion, so nobody can read it".to_owned(),
            })
        }
        Err(RegistrySecretError::Form { error, .. }) => {
            AwsReading::Known(SecretForm::Wrong { why: error.to_string() })
        }
        Err(RegistrySecretError::Denied { right, error, .. }) => {
            AwsReading::NotAllowed { right: right.to_owned(), error: error.to_string() }
        }
        Err(other) => AwsReading::NotRead { why: other.to_string() },
    }
}

/// One image, and how its registry is asked.
struct WantedImage<'a> {
    profile: &'a JobProfile,
    /// The secret with the login.
    secret: Option<String>,
    /// The processor on which it must run.
    architecture: TaskArchitecture,
}

/// Asks registries for the images of profiles and of fixed definitions, if the caller wants it.
async fn read_images(
    account: &AwsAccount,
    needs: &JobNeeds,
    cluster: &ClusterView,
    deadline: Instant,
) -> Vec<((String, String), AwsReading<ImageAnswer>)> {
    let asked = wanted_images(needs, cluster).into_iter().map(|(key, wanted)| async move {
        let answer = timeout_at(deadline, read_image(account, &wanted, &key.0)).await;
        let late = || AwsReading::NotRead { why: "no answer before the deadline".to_owned() };
        (key, answer.unwrap_or_else(|_| late()))
    });
    join_all(asked).await
}

/// The images, by their text and the processor.
fn wanted_images<'a>(
    needs: &'a JobNeeds,
    cluster: &ClusterView,
) -> BTreeMap<(String, String), WantedImage<'a>> {
    let mut wanted = BTreeMap::new();
    for (at, profile) in needs.profiles.iter().enumerate().filter(|_| needs.pull) {
        let mut add = |image: String, secret: Option<String>, architecture: TaskArchitecture| {
            let key = (image, architecture.as_str().to_owned());
            wanted.insert(key, WantedImage { profile, secret, architecture });
        };
        // A channel without an image fails with the task definition.
        if let Ok(Some(image)) = named_image(profile) {
            add(image, profile.registry_secret.clone(), profile.architecture);
            continue;
        }
        let fixed = cluster.usable_definition(at).filter(|_| profile.image.is_none());
        let Some(facts) = fixed else { continue };
        // Another processor fails with the task definition.
        let architecture = match facts.architecture.as_str() {
            "ARM64" => TaskArchitecture::Arm64,
            _ => TaskArchitecture::X86_64,
        };
        for container in &facts.container_images {
            add(container.image.clone(), container.registry_secret.clone(), architecture);
        }
    }
    wanted
}

async fn read_image(
    account: &AwsAccount,
    wanted: &WantedImage<'_>,
    text: &str,
) -> AwsReading<ImageAnswer> {
    let image = match text.parse::<ImageReference>() {
        Ok(image) => image,
        Err(error) => {
            let (why, fix) = (error.to_string(), None);
            return AwsReading::Known(ImageAnswer::Unusable { why, fix });
        }
    };
    let login = match login_for(account, wanted, &image).await {
        Ok(login) => login,
        Err(failed) => return failed,
    };
    let settings = RegistrySettings {
        architecture: wanted.architecture,
        ..RegistrySettings::of(wanted.profile)
    };
    match pin_image(&image, login.as_ref(), &settings, account).await {
        Ok(found) => AwsReading::Known(ImageAnswer::Found {
            digest: found.digest,
            architectures: found.architectures,
        }),
        Err(error @ RegistryError::NotReached { .. }) => {
            AwsReading::NotRead { why: error.to_string() }
        }
        Err(error) => {
            let (why, fix) = (error.to_string(), error.hint());
            AwsReading::Known(ImageAnswer::Unusable { why, fix })
        }
    }
}

async fn login_for(
    account: &AwsAccount,
    wanted: &WantedImage<'_>,
    image: &ImageReference,
) -> Result<Option<RegistryCredentials>, AwsReading<ImageAnswer>> {
    if let Some(host) = image.ecr_host() {
        let login = account.ecr_login(host.region).await;
        let login = AwsReading::of("ecr:GetAuthorizationToken", login);
        let Some(login) = login.known() else { return Err(login.failed().unwrap_or_default()) };
        return Ok(RegistryCredentials::new(&login.user, &login.password).ok());
    }
    let Some(name) = &wanted.secret else { return Ok(None) };
    let secret = RegistrySecret::open(name, wanted.profile, account.masker()).await;
    let login = match secret {
        Ok(secret) => secret.read().await,
        Err(error) => Err(error),
    };
    login.map(Some).map_err(|error| match error {
        RegistrySecretError::Denied { right, error, .. } => {
            AwsReading::NotAllowed { right: right.to_owned(), error: error.to_string() }
        }
        // The secret has a check of its own.
        other => AwsReading::NotRead { why: format!("the registry was not asked: {other}") },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample_definition::{fixed_needs, mounting_definition};

    fn cluster() -> ClusterView {
        let definitions = vec![AwsReading::Known(Ok(mounting_definition()))];
        ClusterView { definitions, ..ClusterView::default() }
    }

    #[test]
    fn registries_are_asked_for_the_images_of_a_fixed_definition_with_their_logins() {
        let mut needs = fixed_needs();
        assert!(wanted_images(&needs, &cluster()).is_empty(), "nobody asked for it");
        needs.pull = true;
        let wanted = wanted_images(&needs, &cluster());
        let told: Vec<_> = wanted
            .iter()
            .map(|((image, processor), it)| (&**image, &**processor, it.secret.as_deref()))
            .collect();
        let expected = [
            ("registry.example.com/ci/job:1", "arm64", Some("ci/registry")),
            ("registry.example.com/ci/side:1", "arm64", None),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_secret_of_jobs_is_asked_for_by_its_arn_and_a_parameter_is_not() {
        let asked = job_secrets(&cluster());
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-AbCdEf";
        assert_eq!(asked, BTreeSet::from([arn.to_owned()]));
    }
}
