//! A local cloud that plays Service Quotas alone, for accounts in emulators that have none for Fargate.

use fargate_local_cloud::{AccessKeyPair, CloudOptions, LocalCloud};
use serde_json::Value;

use crate::checked_host::agent;

/// The variables with the keys of a session, as a script describes them.
pub const SESSION_VARIABLES: [&str; 3] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The cloud, for whoever has these keys of a session.
///
/// # Panics
///
/// If a key is missing, or if it cannot be served.
pub async fn quota_cloud(keys: &Value) -> LocalCloud {
    let [id, secret, token] =
        SESSION_VARIABLES.map(|name| keys[name].as_str().expect("a text").to_owned());
    let mut options = CloudOptions::new(agent());
    let pair = AccessKeyPair::new(id, secret);
    options.access_keys = Some(AccessKeyPair { session_token: Some(token), ..pair });
    LocalCloud::serve(options).await.expect("a cloud")
}
