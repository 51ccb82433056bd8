//! The registry's secret, the secrets of jobs, log groups, and what the registry says.

use std::collections::BTreeMap;

use fargate_aws::{KmsKeyFacts, SecretDescription};

use crate::reading::AwsReading;
use crate::views::LogGroupUse;

/// What the value of a registry secret is, without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// A login, with this user.
    Login {
        /// The user.
        user: String,
    },
    /// It has no value.
    Empty,
    /// It is not what ECS reads.
    Wrong {
        /// What is wrong, without the value.
        why: String,
    },
}

/// One secret with the login of a registry.
#[derive(Clone, Debug, Default)]
pub struct RegistrySecretView {
    /// What is known without the value; `None` if there is no such secret.
    pub description: AwsReading<Option<SecretDescription>>,
    /// What the value is.
    pub form: AwsReading<SecretForm>,
    /// The policy of the secret itself, if it has one.
    pub policy: AwsReading<Option<String>>,
    /// The key of KMS, if it is none that AWS manages for Secrets Manager; the inner `None` if there is no such
    /// key.
    pub key: Option<AwsReading<Option<KmsKeyFacts>>>,
    /// The policy of that key.
    pub key_policy: AwsReading<String>,
}

/// What a registry says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageAnswer {
    /// It has the image, and a task can run it.
    Found {
        /// The digest.
        digest: String,
        /// For which processors it is made.
        architectures: Vec<String>,
    },
    /// A task cannot pull it, or cannot run it.
    Unusable {
        /// Why.
        why: String,
        /// What to do.
        fix: Option<String>,
    },
}

/// The registry's secret, the secrets of jobs, log groups, and what the registry says.
#[derive(Clone, Debug, Default)]
pub struct RegistryView {
    /// The secrets, by the name or ARN in the configuration or the task definition.
    pub secrets: BTreeMap<String, RegistrySecretView>,
    /// What is known of the secrets of Secrets Manager that jobs get, by ARN; `None` if there is no such
    /// secret. Nothing reads their values.
    pub job_secrets: BTreeMap<String, AwsReading<Option<SecretDescription>>>,
    /// Whether log groups are there.
    pub log_groups: BTreeMap<LogGroupUse, AwsReading<bool>>,
    /// What registries say of the images of profiles and of their fixed task definitions, by the text of the
    /// image and the processor. Only asked for with `--pull`.
    pub images: BTreeMap<(String, String), AwsReading<ImageAnswer>>,
}
