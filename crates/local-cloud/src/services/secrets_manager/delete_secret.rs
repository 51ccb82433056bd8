//! `DeleteSecret`: marks a secret for deletion, or removes it at once.
//!
//! Source: AWS Secrets Manager API Reference, `DeleteSecret`.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::errors;
use super::secret_checks;
use super::store::{SecretStore, arn_prefix};
use crate::clock::epoch_seconds;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Days of a recovery window, and how many it has by default.
const WINDOW_DAYS: std::ops::RangeInclusive<i64> = 7..=30;
const DEFAULT_WINDOW_DAYS: i64 = 30;
const DAY: Duration = Duration::from_secs(24 * 3600);

shapes! {
    DeleteSecret {
        secret_id: String = "SecretId",
        recovery_window_in_days: i64 = "RecoveryWindowInDays",
        force_delete_without_recovery: bool = "ForceDeleteWithoutRecovery",
    }
}

impl JsonRequest for DeleteSecret {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = secret_checks::secret_id(self.secret_id.as_ref())?;
        let days = self.checked_window()?;
        if self.force_delete_without_recovery == Some(true) {
            return delete_at_once(context, reference);
        }
        SecretStore::with_secret(context, RIGHT, reference, |secret| {
            if secret.deletion.is_some() {
                return Err(errors::request(
                    "You tried to perform the operation on a secret that's currently marked deleted.",
                ));
            }
            let gone = context.now + DAY * u32::try_from(days).unwrap_or_default();
            secret.deletion = Some(gone);
            Ok(deleted(&secret.arn, &secret.name, gone))
        })
    }
}

const RIGHT: &str = "secretsmanager:DeleteSecret";

impl DeleteSecret {
    fn checked_window(&self) -> Result<i64, ServiceException> {
        if self.force_delete_without_recovery == Some(true)
            && self.recovery_window_in_days.is_some()
        {
            return Err(ServiceException::parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        let days = self.recovery_window_in_days.unwrap_or(DEFAULT_WINDOW_DAYS);
        match WINDOW_DAYS.contains(&days) {
            true => Ok(days),
            false => Err(ServiceException::parameter(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            )),
        }
    }
}

/// Removes a secret. One that does not exist is no error.
fn delete_at_once(context: &RequestContext<'_>, reference: &str) -> ActionResult {
    SecretStore::with(context, |secrets| {
        let prefix = arn_prefix(context.region);
        let found = secrets.find(&prefix, reference);
        let found = found.map(|secret| (secret.arn.clone(), secret.name.clone()));
        let arn = found.as_ref().map_or(reference, |(arn, _)| arn);
        context.allowed(RIGHT, Some(arn))?;
        let (arn, name) = found.unwrap_or_else(|| {
            let name = reference.strip_prefix(&prefix).unwrap_or(reference);
            (format!("{prefix}{name}"), name.to_owned())
        });
        secrets.remove(&name);
        Ok(deleted(&arn, &name, context.now))
    })
}

fn deleted(arn: &str, name: &str, gone: SystemTime) -> Value {
    json!({ "ARN": arn, "Name": name, "DeletionDate": epoch_seconds(gone) })
}
