//! The one call to ECR that this crate makes: a login for `docker`-like clients.
//!
//! The token is masked from the moment it is known. It is valid for 12 hours.
//!
//! Source: Amazon ECR API Reference, `GetAuthorizationToken`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::json_refusal::refusal;
use crate::signed_request::UnsignedRequest;

const WHO: &str = "ECR";
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"),
];
const RIGHT: &str = "ecr:GetAuthorizationToken";
/// Longest answer that is read. A token has about 2,500 bytes.
const LONGEST: usize = 64 * 1024;

/// User and password of every registry of ECR that the account may use in one Region.
pub struct EcrLogin {
    /// The user; ECR calls everybody `AWS`.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

#[derive(Deserialize)]
struct TokenReply {
    #[serde(rename = "authorizationData")]
    data: Vec<TokenData>,
}

#[derive(Deserialize)]
struct TokenData {
    #[serde(rename = "authorizationToken")]
    token: Zeroizing<String>,
}

impl AwsAccount {
    /// Asks ECR in `region` for a login.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call is refused, or if no usable answer comes.
    pub async fn ecr_login(&self, region: &str) -> Result<EcrLogin, CallError> {
        let endpoint = match self.endpoint_in(region, "ecr") {
            // The name of ECR's API has a prefix that other services do not have.
            own if own.starts_with("https://ecr.") => own.replacen("//ecr.", "//api.ecr.", 1),
            given => given,
        };
        let question = UnsignedRequest {
            who: WHO,
            service: "ecr",
            region,
            endpoint: endpoint.clone(),
            headers: HEADERS,
            body: "{}".to_owned(),
            longest: LONGEST,
        };
        let answer = self.ask(question).await.and_then(|said| match said.status {
            200..300 => login(&said.body),
            _ => Err(self.judged(refusal(&said, &self.masker))),
        });
        let login = answer.map_err(|error| CallError::Elsewhere {
            service: WHO,
            endpoint,
            right: RIGHT,
            error: Box::new(error),
        })?;
        self.masker.remember(&login.password);
        Ok(login)
    }
}

/// Reads an answer; the error repeats nothing of it.
fn login(body: &str) -> Result<EcrLogin, CallError> {
    let unreadable = || CallError::Unreadable { text: "ECR gave no login".to_owned() };
    let reply: TokenReply = serde_json::from_str(body).map_err(|_| unreadable())?;
    let token = reply.data.into_iter().next().ok_or_else(unreadable)?.token;
    let pair = Zeroizing::new(STANDARD.decode(token.as_bytes()).map_err(|_| unreadable())?);
    let pair = std::str::from_utf8(&pair).map_err(|_| unreadable())?;
    let (user, password) = pair.split_once(':').ok_or_else(unreadable)?;
    Ok(EcrLogin { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_and_an_odd_answer_is_told_without_repeating_it() {
        let token = STANDARD.encode("AWS:canary");
        let read =
            login(&format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}"}}]}}"#));
        let read = read.unwrap();
        assert_eq!((read.user.as_str(), read.password.as_str()), ("AWS", "canary"));
        for odd in [
            "",
            "{}",
            r#"{"authorizationData":[]}"#,
            "canary",
            r#"{"authorizationData":[{"authorizationToken":"canary!"}]}"#,
        ] {
            assert!(!login(odd).err().unwrap().to_string().contains("canary"), "{odd}");
        }
    }
}
