//! One item of `secrets`: a secret that ECS gives to the container of a job.
//!
//! Its value is never read here: ECS reads it, with the execution role.

use crate::check::{self, ValueRefusal};
use crate::row::{flag, text};
use crate::table::{settings_table, table_field};
use crate::value::SettingsTable;

/// Most secrets of a profile. Ours: each becomes a variable, and all variables of a container
/// together have a limit.
pub(super) const MAX_SECRETS: usize = 50;

settings_table! {
    /// A secret of Secrets Manager or of the Parameter Store that a job may have.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TaskSecret {
        /// The variable by which scripts get it.
        pub name: String = text(check::secret_variable).example("\"NPM_TOKEN\""),
        /// The ARN of the secret, with `:json-key:version-stage:version-id` after it where only a
        /// part is wanted; or the name or ARN of a parameter.
        pub from: String = text(check::secret_source)
            .example("\"arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-a1B2c3\""),
        /// Whether the variable holds the path of a file with the value, which only the job's user
        /// may read, instead of the value.
        pub as_file: bool = flag().or_flag(false),
    }
}

table_field!(TaskSecret);

/// Every item is right by itself.
pub(super) fn check_secrets(_: &[SettingsTable]) -> Vec<ValueRefusal> {
    Vec::new()
}
