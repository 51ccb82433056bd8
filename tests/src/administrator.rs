//! As whom the tests themselves call a local cloud: an administrator, whose rights are not those of the product.

use std::time::Duration;

use aws_credential_types::Credentials;
use fargate_local_cloud::LocalCloud;

/// Longer than any test moves the cloud's clock.
pub(crate) const LONG_LIFE: Duration = Duration::from_hours(24 * 365 * 10);
/// The role. It has no policy, so it may do everything.
const ROLE: &str = "administrator";

/// New credentials.
pub(crate) fn credentials(cloud: &LocalCloud) -> Credentials {
    let keys = cloud.issue_role_credentials(ROLE, LONG_LIFE);
    let (id, secret, token) = (keys.access_key_id, keys.secret_access_key, keys.session_token);
    Credentials::from_keys(id, secret, Some(token))
}
