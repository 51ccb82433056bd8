//! Where messages go: a webhook or a topic of Amazon SNS. What they need is opened for each message, so that a
//! secret, a certificate or a role that is mended counts at once.

use std::time::Duration;

use fargate_aws::{AwsAccount, TopicMessage, WebClient};
use fargate_config::{JobProfile, NotifySettings};
use fargate_mask::SharedMasker;
use fargate_model::content_hash::sha256_hex;
use fargate_model::text::escape_within;

use crate::notice::OperatorNotice;
use crate::secret_source::NoticeSecretSource;
use crate::webhook;

/// Longest time of one request.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Longest answer of a webhook that is read.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Statuses after which the same request may succeed. Source: RFC 9110 and RFC 6585.
const MAY_PASS: [u16; 3] = [408, 425, 429];
/// Why a message was not sent is told in so many characters.
const LONGEST_WORDS: usize = 300;

/// One target.
#[derive(Debug)]
pub struct NoticeTarget {
    place: TargetPlace,
    profile: JobProfile,
    masker: SharedMasker,
}

#[derive(Debug)]
enum TargetPlace {
    Webhook { url: NoticeSecretSource, key: Option<NoticeSecretSource> },
    Topic { arn: String },
}

/// Why one try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendFailure {
    /// In words, without any secret.
    pub(crate) words: String,
    /// Whether the same message may be taken later.
    pub(crate) may_pass: bool,
}

/// The targets that the configuration names. They are reached as this profile reaches AWS.
#[must_use]
pub fn targets_of(
    settings: &NotifySettings,
    profile: &JobProfile,
    masker: &SharedMasker,
) -> Vec<NoticeTarget> {
    let NotifySettings { webhook_url_file, webhook_url_variable, .. } = settings;
    let url = NoticeSecretSource::of(webhook_url_file.as_ref(), webhook_url_variable.as_ref());
    let NotifySettings { webhook_key_file, webhook_key_variable, .. } = settings;
    let key = NoticeSecretSource::of(webhook_key_file.as_ref(), webhook_key_variable.as_ref());
    let webhook = url.map(|url| TargetPlace::Webhook { url, key });
    let topic = settings.sns_topic.clone().map(|arn| TargetPlace::Topic { arn });
    let target = |place| NoticeTarget { place, profile: profile.clone(), masker: masker.clone() };
    webhook.into_iter().chain(topic).map(target).collect()
}

impl NoticeTarget {
    /// `webhook` or `sns`, the label of metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.place {
            TargetPlace::Webhook { .. } => "webhook",
            TargetPlace::Topic { .. } => "sns",
        }
    }

    /// Sends the message once.
    pub(crate) async fn send(&self, notice: &OperatorNotice) -> Result<(), SendFailure> {
        match &self.place {
            TargetPlace::Webhook { url, key } => self.post(url, key.as_ref(), notice).await,
            TargetPlace::Topic { arn } => self.publish(arn, notice).await,
        }
    }

    fn failure(&self, words: &str, may_pass: bool) -> SendFailure {
        let words = escape_within(&self.masker.text(words), LONGEST_WORDS);
        SendFailure { words, may_pass }
    }

    async fn post(
        &self,
        url: &NoticeSecretSource,
        key: Option<&NoticeSecretSource>,
        notice: &OperatorNotice,
    ) -> Result<(), SendFailure> {
        let unread = |words: String| self.failure(&words, true);
        let url = url.read(&self.masker).map_err(unread)?;
        let key = key.map(|key| key.read(&self.masker)).transpose().map_err(unread)?;
        let request = webhook::request(&url, key.as_ref().map(|key| key.as_str()), notice);
        let request = request.map_err(unread)?;
        let client = WebClient::open(&self.profile, &self.masker, REQUEST_TIME);
        let client = client.map_err(|why| self.failure(&why.headline(), true))?;
        let sent = client.send("the webhook", &request, LONGEST_ANSWER).await;
        match sent {
            Ok((200..=299, _)) => Ok(()),
            Ok((status @ 300..=399, _)) => {
                Err(self
                    .failure(&format!("it answered {status}; redirects are not followed"), false))
            }
            Ok((status, _)) => {
                let may_pass = status >= 500 || MAY_PASS.contains(&status);
                Err(self.failure(&format!("it answered {status}"), may_pass))
            }
            // Whatever the network did, it may do otherwise.
            Err(error) => Err(self.failure(&error.to_string(), true)),
        }
    }

    async fn publish(&self, arn: &str, notice: &OperatorNotice) -> Result<(), SendFailure> {
        let region = arn.split(':').nth(3).map(str::to_owned);
        let account = AwsAccount::open(region, &self.profile, &self.masker).await;
        let account = account.map_err(|why| self.failure(&why.headline(), true))?;
        let message = TopicMessage {
            topic: arn.to_owned(),
            subject: notice.subject(),
            message: notice.json(),
            texts: vec![("email".to_owned(), notice.mail())],
            group: notice.condition.name.clone(),
            // SNS takes 128 characters, and an id may be longer.
            once: sha256_hex(notice.id().as_bytes()),
        };
        let published = account.publish(&message).await;
        published.map(drop).map_err(|error| self.failure(&error.to_string(), error.is_transient()))
    }
}
