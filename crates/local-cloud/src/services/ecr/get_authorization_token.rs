//! `GetAuthorizationToken`: a login for registry clients. Each call gives another password; no registry of
//! this cloud checks it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::image_repository::host;
use crate::clock::epoch_seconds;
use crate::random_id::letters_and_digits;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

/// How long a login is valid. Source: Amazon ECR API Reference, `GetAuthorizationToken`.
const VALIDITY: Duration = Duration::from_secs(12 * 3600);
/// Characters of a password. Ours; those of ECR have some two thousand.
const LENGTH: usize = 400;

shapes! {
    GetAuthorizationToken {
        registry_ids: Vec<String> = "registryIds",
    }
}

impl JsonRequest for GetAuthorizationToken {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let token = STANDARD.encode(format!("AWS:{}", letters_and_digits(LENGTH)));
        Ok(json!({ "authorizationData": [{
            "authorizationToken": token,
            "expiresAt": epoch_seconds(context.now + VALIDITY),
            "proxyEndpoint": format!("https://{}", host(context.region)),
        }] }))
    }
}
