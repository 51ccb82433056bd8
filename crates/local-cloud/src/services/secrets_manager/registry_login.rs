//! What ECS does with the secret of `repositoryCredentials`: it reads the secret as the task's execution
//! role and takes user name and password out of it. It does not log in; the backend does.
//!
//! Source, for shape and words: the public source of the Amazon ECS agent (`agent/asm/asm.go`), and
//! stopped reasons of platform version 1.4.0 as public issue trackers quote them.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::get_secret_value::GetSecretValue;
use crate::backend::container::RegistryLogin;
use crate::cloud::CloudInstance;
use crate::random_id;
use crate::services::context::RequestContext;
use crate::services::definition::JsonRequest;
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;

/// Who reads the secret: a session of the execution role, named after the task.
pub(crate) struct ExecutionSession<'a> {
    pub region: &'a str,
    /// The name of the execution role.
    pub role: &'a str,
    /// The task's id.
    pub task: &'a str,
}

/// Why ECS has no login; the text is the task's stopped reason.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum RegistryLoginError {
    /// Secrets Manager refused the request.
    Refused { secret: String, refusal: ServiceException },
    /// The value is not what ECS reads.
    Malformed(&'static str),
}

impl fmt::Display for RegistryLoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource \
             retrieval failed: unable to get registry auth from asm: service call has been retried 1 \
             time(s): ",
        )?;
        match self {
            Self::Refused { secret, refusal: ServiceException { status, code, message, .. } } => {
                let id = random_id::uuid();
                write!(
                    f,
                    "asm fetching secret from the service for {secret}: {code}: {message} status code: \
                     {status}, request id: {id}"
                )
            }
            Self::Malformed(what) => f.write_str(what),
        }
    }
}

/// Reads the login from a secret, which `secret` names or gives as ARN.
pub(crate) fn registry_login(
    cloud: &Arc<CloudInstance>,
    session: &ExecutionSession<'_>,
    secret: &str,
) -> Result<RegistryLogin, RegistryLoginError> {
    let text = secret_for(cloud, session, secret)
        .map_err(|refusal| RegistryLoginError::Refused { secret: secret.to_owned(), refusal })?;
    parse(text.as_deref().unwrap_or_default()).map_err(RegistryLoginError::Malformed)
}

/// The text of a secret's current version as this session may read it; `None` where the value is bytes.
pub(crate) fn secret_for(
    cloud: &Arc<CloudInstance>,
    session: &ExecutionSession<'_>,
    secret: &str,
) -> Result<Option<String>, ServiceException> {
    let principal = CallerPrincipal::Session {
        role: session.role.to_owned(),
        session: session.task.to_owned(),
    };
    let context =
        RequestContext { principal: &principal, ..RequestContext::of_owner(cloud, session.region) };
    let request = GetSecretValue { secret_id: Some(secret.to_owned()), ..Default::default() };
    let answer = request.perform(&context)?;
    Ok(answer["SecretString"].as_str().map(str::to_owned))
}

/// Takes the login out of a secret's text. Names of members are compared without regard to case, and other
/// members are ignored, as the agent's JSON library does it.
fn parse(text: &str) -> Result<RegistryLogin, &'static str> {
    const SCHEMA: &str =
        "asm fetching authorization data: unable to unmarshal secret value, invalid schema";
    if text.is_empty() {
        return Err("asm fetching authorization data: empty secrets value");
    }
    let Ok(Value::Object(members)) = serde_json::from_str(text) else { return Err(SCHEMA) };
    let member =
        |wanted: &str| match members.iter().rfind(|(name, _)| name.eq_ignore_ascii_case(wanted)) {
            None | Some((_, Value::Null)) => Ok(String::new()),
            Some((_, Value::String(text))) => Ok(text.clone()),
            Some(_) => Err(SCHEMA),
        };
    let (username, password) = (member("username")?, member("password")?);
    if username.is_empty() {
        return Err("asm fetching username: AuthorizationData is malformed, empty field");
    }
    if password.is_empty() {
        return Err("asm fetching password: AuthorizationData is malformed, empty field");
    }
    Ok(RegistryLogin { username, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_the_agent_of_ecs_reads_it() {
        for text in
            [r#"{"username":"ci","password":"p"}"#, r#"{"Username":"ci","PASSWORD":"p","auth":1}"#]
        {
            let login = parse(text).expect(text);
            assert_eq!((login.username.as_str(), login.password.as_str()), ("ci", "p"));
        }
        let schema =
            "asm fetching authorization data: unable to unmarshal secret value, invalid schema";
        for (text, said) in [
            ("", "asm fetching authorization data: empty secrets value"),
            ("ci:p", schema),
            ("[]", schema),
            (r#"{"username":"ci","password":7}"#, schema),
            (
                r#"{"user":"ci","password":"p"}"#,
                "asm fetching username: AuthorizationData is malformed, empty field",
            ),
            (
                r#"{"username":"ci","password":null}"#,
                "asm fetching password: AuthorizationData is malformed, empty field",
            ),
        ] {
            assert_eq!(parse(text).err(), Some(said), "{text}");
        }
    }
}
