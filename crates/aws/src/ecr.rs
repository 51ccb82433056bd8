//! The one client of ECR: a login for registry clients, and what only ECR's own API tells or does.
//!
//! It retries nothing, because there is only one retry policy, and the caller has it. A login is masked from
//! the moment it is known, and is kept until shortly before it expires. Each error names the right that the
//! call needs.
//!
//! Source: Amazon ECR API Reference, version 2015-09-21.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::Region;
use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier, ImageTagMutability};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::account::AwsAccount;
use crate::call::CallError;

/// The service's name in the endpoints of this host's settings and in its own host name.
const SERVICE: &str = "ecr";
/// Images of one page. Source: Amazon ECR API Reference, `DescribeImages`.
const PAGE: i32 = 1000;
/// Most pages that are read. Source for the limit of 100,000 images in a repository: Amazon ECR User Guide,
/// "Amazon ECR service quotas"; ECR may send fewer than it is asked for.
const MAX_PAGES: usize = 1000;
/// How long a login that is handed out is valid at least. Ours: longer than any push.
const LEAST_VALIDITY: Duration = Duration::from_secs(2 * 3600);

/// User and password of every registry of ECR that the account may use in one Region.
#[derive(Clone)]
pub struct EcrLogin {
    /// The user; ECR calls everybody `AWS`.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// The logins that an account got, by Region, each with the moment of its end. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct KeptEcrLogins(Arc<Mutex<BTreeMap<String, (EcrLogin, SystemTime)>>>);

/// Whether tags of a repository can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EcrTagMutability {
    /// Every tag can be moved.
    Mutable,
    /// No tag can be moved.
    Immutable,
    /// Some can, and some cannot: the repository has filters.
    Filtered,
}

/// An image of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrImage {
    /// The digest of its manifest.
    pub digest: String,
    /// Its tags; one that other images refer to may have none.
    pub tags: Vec<String>,
}

/// One repository of ECR.
#[derive(Clone, Debug)]
pub struct EcrRepository {
    client: Client,
    account: AwsAccount,
    region: String,
    /// The account that has the registry.
    registry_id: String,
    name: String,
}

impl std::fmt::Debug for KeptEcrLogins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptEcrLogins")
    }
}

impl KeptEcrLogins {
    fn of(&self, region: &str) -> Option<EcrLogin> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (login, end) = kept.get(region)?;
        (*end > SystemTime::now() + LEAST_VALIDITY).then(|| login.clone())
    }

    fn keep(&self, region: &str, login: &EcrLogin, end: SystemTime) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(region.to_owned(), (login.clone(), end));
    }
}

impl AwsAccount {
    /// A login for the registries of ECR in `region`: a kept one, else one that ECR is asked for.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call is refused, or if no usable answer comes.
    pub async fn ecr_login(&self, region: &str) -> Result<EcrLogin, CallError> {
        if let Some(kept) = self.ecr_logins.of(region) {
            return Ok(kept);
        }
        let call = client(self, region).get_authorization_token();
        let answer = self.call(|| self.sent(call.clone().send())).await;
        let right = "ecr:GetAuthorizationToken";
        let answer = answer.map_err(|error| failed(self, region, right, error))?;
        let data = answer.authorization_data().first();
        let login = data.and_then(|data| login(data.authorization_token()?));
        let login = login.ok_or_else(|| {
            let text = "ECR gave no login".to_owned();
            failed(self, region, right, CallError::Unreadable { text })
        })?;
        self.masker.remember(&login.password);
        let end = data.and_then(|data| SystemTime::try_from(*data.expires_at()?).ok());
        if let Some(end) = end {
            self.ecr_logins.keep(region, &login, end);
        }
        Ok(login)
    }
}

impl EcrRepository {
    /// The repository `name` in the registry of the account `registry_id`. It makes no call.
    #[must_use]
    pub fn new(account: &AwsAccount, region: &str, registry_id: &str, name: &str) -> Self {
        Self {
            client: client(account, region),
            account: account.clone(),
            region: region.to_owned(),
            registry_id: registry_id.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Calls `DescribeRepositories`. Returns `None` if there is no such repository.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn tag_mutability(&self) -> Result<Option<EcrTagMutability>, CallError> {
        let call = self.client.describe_repositories().registry_id(&self.registry_id);
        let call = call.repository_names(&self.name);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        match answer {
            Ok(found) => {
                let found = found.repositories().first();
                let told = found.and_then(|found| found.image_tag_mutability().cloned());
                Ok(found.map(|_| match told {
                    Some(ImageTagMutability::Immutable) => EcrTagMutability::Immutable,
                    Some(ImageTagMutability::Mutable) | None => EcrTagMutability::Mutable,
                    Some(_) => EcrTagMutability::Filtered,
                }))
            }
            Err(error) if is(&error, "RepositoryNotFoundException") => Ok(None),
            Err(error) => Err(self.failed("ecr:DescribeRepositories", error)),
        }
    }

    /// Calls `DescribeImages` for all images, also those without a tag. A repository that does not exist has
    /// none.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed, or if the list does not end.
    pub async fn images(&self) -> Result<Vec<EcrImage>, CallError> {
        let right = "ecr:DescribeImages";
        let (mut images, mut next) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let call = self.client.describe_images().registry_id(&self.registry_id);
            let call = call.repository_name(&self.name).max_results(PAGE).set_next_token(next);
            let page = match self.account.call(|| self.account.sent(call.clone().send())).await {
                Ok(page) => page,
                Err(error) if is(&error, "RepositoryNotFoundException") => return Ok(images),
                Err(error) => return Err(self.failed(right, error)),
            };
            images.extend(page.image_details().iter().filter_map(|image| {
                let digest = image.image_digest()?.to_owned();
                Some(EcrImage { digest, tags: image.image_tags().to_vec() })
            }));
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(images);
            }
        }
        let text = format!("ECR's list goes on after {MAX_PAGES} pages");
        Err(self.failed(right, CallError::Unreadable { text }))
    }

    /// Calls `BatchDeleteImage` for one digest, with all of its tags. One that is gone already is a success:
    /// `false`.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed, or if ECR says why it keeps the image.
    pub async fn delete_image(&self, digest: &str) -> Result<bool, CallError> {
        let call = self.client.batch_delete_image().registry_id(&self.registry_id);
        let image = ImageIdentifier::builder().image_digest(digest).build();
        let call = call.repository_name(&self.name).image_ids(image);
        let right = "ecr:BatchDeleteImage";
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        let answer = answer.map_err(|error| self.failed(right, error))?;
        let Some(kept) = answer.failures().first() else { return Ok(true) };
        match kept.failure_code() {
            Some(ImageFailureCode::ImageNotFound) => Ok(false),
            code => {
                let code = code.map_or("unknown", ImageFailureCode::as_str).to_owned();
                let message = kept.failure_reason().unwrap_or_default().to_owned();
                let refused = CallError::Answered { code, message, status: 200, request_id: None };
                Err(self.failed(right, refused))
            }
        }
    }

    fn failed(&self, right: &'static str, error: CallError) -> CallError {
        failed(&self.account, &self.region, right, error)
    }
}

fn client(account: &AwsAccount, region: &str) -> Client {
    let config = aws_sdk_ecr::config::Builder::from(account.config());
    Client::from_conf(config.region(Region::new(region.to_owned())).build())
}

fn failed(account: &AwsAccount, region: &str, right: &'static str, error: CallError) -> CallError {
    let endpoint = match account.endpoint_in(region, SERVICE) {
        // The name of ECR's API has a prefix that other services do not have.
        own if own.starts_with("https://ecr.") => own.replacen("//ecr.", "//api.ecr.", 1),
        given => given,
    };
    CallError::Elsewhere { service: "ECR", endpoint, right, error: Box::new(error) }
}

/// Reads a token, which is base64 of user and password.
fn login(token: &str) -> Option<EcrLogin> {
    let pair = Zeroizing::new(STANDARD.decode(token).ok()?);
    let (user, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(EcrLogin { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
}

/// Whether ECR answered with this exception.
fn is(error: &CallError, exception: &str) -> bool {
    matches!(error, CallError::Answered { code, .. } if code == exception)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_user_and_password_and_an_odd_one_is_no_login() {
        let read = login(&STANDARD.encode("AWS:canary")).unwrap();
        assert_eq!((read.user.as_str(), read.password.as_str()), ("AWS", "canary"));
        for odd in ["", "canary!", &STANDARD.encode("canary")] {
            assert!(login(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_login_is_kept_for_its_region_until_shortly_before_its_end() {
        let (kept, soon) = (KeptEcrLogins::default(), Duration::from_secs(3600));
        let read = login(&STANDARD.encode("AWS:canary")).unwrap();
        kept.keep("eu-west-1", &read, SystemTime::now() + LEAST_VALIDITY + soon);
        kept.keep("us-east-1", &read, SystemTime::now() + LEAST_VALIDITY - soon);
        let found = ["eu-west-1", "us-east-1", "eu-west-2"].map(|region| kept.of(region).is_some());
        assert_eq!(found, [true, false, false]);
    }
}
