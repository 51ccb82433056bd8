//! Where the login of a repository comes from: the secret that the image names for its registry, ECR's own, or
//! Docker's configuration and credential helpers, in this order. `registry_secret` is for the registry of the
//! image's own repository, and each of `replica_secrets` for the one that it names; no other host gets them.
//!
//! A helper gets the registry's name on stdin and gives the login on stdout, so no password is ever an
//! argument.
//!
//! Source: docker/docker-credential-helpers, "Development"; Docker, "docker login", "Credential stores".

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fargate_aws::{AwsAccount, EcrRepository};
use fargate_config::{JobProfile, ManagedImage};
use fargate_mask::SharedMasker;
use fargate_model::cause::FailureCause;
use fargate_model::text::{escape, escape_within};
use fargate_registry::{ImageReference, RegistryCredentials, RegistrySecret};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::failure::ImageFailure;

/// How long a credential helper may take. It may have to ask a keyring.
const HELPER_TIME: Duration = Duration::from_secs(30);
/// Longest configuration of Docker.
const LONGEST_CONFIG: u64 = 1024 * 1024;
/// Under this name Docker keeps the login of Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The Region of an account that is only used to reach a registry outside AWS; nothing is signed with it.
const NO_REGION: &str = "us-east-1";

/// What reaches registries from this host. A registry outside AWS needs no Region.
pub(crate) async fn registry_account(
    profile: &JobProfile,
    masker: &SharedMasker,
) -> Result<AwsAccount, ImageFailure> {
    let mut opened = AwsAccount::open(profile.region.clone(), profile, masker).await;
    if opened.as_ref().is_err_and(|why| why.cause == FailureCause::RegionMissing) {
        opened = AwsAccount::open(Some(NO_REGION.to_owned()), profile, masker).await;
    }
    opened.map_err(|why| denied(why.headline()))
}

/// The login is wrong, missing, or not enough.
pub(crate) fn denied(what: String) -> ImageFailure {
    ImageFailure::RegistryDenied {
        what,
        hint: "give a login that may push: `registry_secret` of the image, `docker login`, or for ECR the \
               right ecr:InitiateLayerUpload"
            .to_owned(),
    }
}

/// The login for a registry; `None` if there is none.
pub(crate) async fn login(
    image: &ManagedImage,
    reference: &ImageReference,
    profile: &JobProfile,
    account: &AwsAccount,
) -> Result<Option<RegistryCredentials>, ImageFailure> {
    let masker = account.masker();
    if let Some(name) = secret_for(image, reference.registry()) {
        let words = |error: fargate_registry::RegistrySecretError| {
            denied(format!("reading the login of the registry: {error}"))
        };
        let secret = RegistrySecret::open(name, profile, masker).await.map_err(words)?;
        return secret.read().await.map(Some).map_err(words);
    }
    if reference.is_of_ecr() {
        let region = reference.ecr_host().map_or_else(|| account.region(), |host| host.region);
        let login = account.ecr_login(region).await;
        let login = login.map_err(|error| {
            denied(format!("logging in to ECR: {}", escape(&error.to_string())))
        })?;
        let made = RegistryCredentials::new(&login.user, &login.password);
        return made.map(Some).map_err(|error| denied(format!("logging in to ECR: {error}")));
    }
    docker_login(reference.registry(), masker).await
}

/// The secret that the image names for a registry.
fn secret_for<'image>(image: &'image ManagedImage, registry: &str) -> Option<&'image str> {
    let own = image.repository.parse::<ImageReference>();
    if own.is_ok_and(|own| own.registry() == registry) {
        return image.registry_secret.as_deref();
    }
    let named = image.replica_secrets.iter().filter_map(|named| named.split_once('='));
    named.into_iter().find_map(|(host, secret)| (host == registry).then_some(secret))
}

/// ECR's own API of a repository; `None` if it is not of ECR.
pub(crate) fn ecr_repository(
    reference: &ImageReference,
    account: &AwsAccount,
) -> Option<EcrRepository> {
    let host = reference.ecr_host()?;
    Some(EcrRepository::new(account, host.region, host.account, reference.repository()))
}

/// What `docker login` left.
async fn docker_login(
    registry: &str,
    masker: &SharedMasker,
) -> Result<Option<RegistryCredentials>, ImageFailure> {
    let Some(path) = config_path() else { return Ok(None) };
    let wrong = |what: &str| ImageFailure::Unusable {
        what: format!("reading Docker's configuration {}: {what}", path.display()),
        hint: "correct the file, or name the login as `registry_secret` of the image".to_owned(),
    };
    let text = match fargate_files::read_at_most(&path, LONGEST_CONFIG) {
        Ok(text) => Zeroizing::new(text),
        Err(_) if !path.exists() => return Ok(None),
        Err(error) => return Err(wrong(&error.to_string())),
    };
    let config: Value = serde_json::from_slice(&text)
        .map_err(|_| wrong("it is not the JSON that Docker writes"))?;
    let key = if registry == "docker.io" { DOCKER_HUB_KEY } else { registry };
    let helper = config["credHelpers"][key].as_str().or(config["credsStore"].as_str());
    let found = match helper {
        Some(helper) => from_helper(helper, key).await?,
        None => None,
    };
    let found = match found {
        Some(found) => Some(found),
        None => in_config(&config["auths"], key).map_err(|what| wrong(&what))?,
    };
    let Some((user, password)) = found else { return Ok(None) };
    masker.remember(&password);
    let login = RegistryCredentials::new(&user, &password);
    login.map(Some).map_err(|error| wrong(&format!("the login of {key} cannot be used: {error}")))
}

fn config_path() -> Option<PathBuf> {
    let own = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    own.or_else(home).map(|folder| folder.join("config.json"))
}

type UserAndPassword = (String, Zeroizing<String>);

/// A login in the file itself, under the registry's name with or without scheme and path.
fn in_config(auths: &Value, key: &str) -> Result<Option<UserAndPassword>, String> {
    let Some(auths) = auths.as_object() else { return Ok(None) };
    let host = |name: &str| {
        let name = name.trim_start_matches("https://").trim_start_matches("http://");
        name.split('/').next().unwrap_or_default().to_owned()
    };
    let same = |(name, _): &(&String, &Value)| host(name) == host(key);
    let entry = auths.get(key).or_else(|| auths.iter().find(same).map(|(_, entry)| entry));
    let Some(auth) = entry.and_then(|entry| entry["auth"].as_str()).filter(|auth| !auth.is_empty())
    else {
        return Ok(None);
    };
    let unreadable = || format!("`auth` of {key} is not base64 of USER:PASSWORD");
    let bytes = Zeroizing::new(STANDARD.decode(auth).map_err(|_| unreadable())?);
    let pair = std::str::from_utf8(&bytes).map_err(|_| unreadable())?;
    let (user, password) = pair.split_once(':').ok_or_else(unreadable)?;
    Ok(Some((user.to_owned(), Zeroizing::new(password.trim_end_matches('\0').to_owned()))))
}

/// Asks `docker-credential-NAME`. `None` if it has no login.
async fn from_helper(name: &str, key: &str) -> Result<Option<UserAndPassword>, ImageFailure> {
    let program = format!("docker-credential-{name}");
    let wrong = |what: String| ImageFailure::RegistryDenied {
        what: format!("asking {} for the login of {key}: {what}", escape_within(&program, 80)),
        hint: "run the helper by hand, or name the login as `registry_secret` of the image"
            .to_owned(),
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if !name.bytes().all(is_name) {
        return Err(wrong(
            "the configuration names it with characters that no helper has".to_owned(),
        ));
    }
    let asked = async {
        let mut helper = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = helper.stdin.take() {
            input.write_all(key.as_bytes()).await?;
        }
        helper.wait_with_output().await
    };
    let answer = timeout(HELPER_TIME, asked).await;
    let answer = answer
        .map_err(|_| wrong(format!("no answer within {} s", HELPER_TIME.as_secs())))?
        .map_err(|error| wrong(error.to_string()))?;
    let output = Zeroizing::new(answer.stdout);
    if !answer.status.success() {
        let is_missing = String::from_utf8_lossy(&output).contains("credentials not found");
        return match is_missing {
            true => Ok(None),
            false => Err(wrong(format!("it ended with {}", answer.status))),
        };
    }
    let said: Value = serde_json::from_slice(&output)
        .map_err(|_| wrong("its answer is not the JSON of a helper".to_owned()))?;
    match (said["Username"].as_str(), said["Secret"].as_str()) {
        (Some("<token>"), _) => {
            Err(wrong("it gave an identity token, which this program cannot use".to_owned()))
        }
        (Some(user), Some(secret)) => {
            Ok(Some((user.to_owned(), Zeroizing::new(secret.to_owned()))))
        }
        _ => Err(wrong("its answer has no `Username` and `Secret`".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_of_docker_is_found_by_host_with_and_without_scheme() {
        let auth = STANDARD.encode("ci:open:sesame");
        let auths = serde_json::json!({
            "https://index.docker.io/v1/": { "auth": auth },
            "https://registry.example": { "auth": auth },
            "empty.example": {},
            "odd.example": { "auth": "canary!" },
        });
        for key in [DOCKER_HUB_KEY, "registry.example"] {
            let (user, password) = in_config(&auths, key).unwrap().unwrap();
            assert_eq!((user.as_str(), password.as_str()), ("ci", "open:sesame"));
        }
        assert!(in_config(&auths, "other.example").unwrap().is_none());
        assert!(in_config(&auths, "empty.example").unwrap().is_none());
        assert!(!in_config(&auths, "odd.example").unwrap_err().contains("canary"));
    }
}
