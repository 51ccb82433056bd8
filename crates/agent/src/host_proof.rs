//! Proves the host key by the task's role: signs the request that `fargate_protocol` describes.
//!
//! Only an agent that was told to make its host key itself does so, and only for a client that has
//! logged in. It sends nothing to STS: the client does.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use fargate_protocol::{
    CHALLENGE_LENGTH, HOST_KEY_VARIABLE, HostProof, HostProofRequest, HostProofStatement,
    PROOF_BODY, PROOF_SERVICE,
};
use russh::keys::{HashAlg, PublicKey};

use crate::task_credentials::{CredentialsEndpoint, TaskCredentials, TaskCredentialsError};

/// What an agent needs for its proofs.
#[derive(Clone, Debug)]
pub struct TaskRoleProver {
    host_key: String,
}

/// Why there is no proof. The client gets these words.
#[derive(Debug, thiserror::Error)]
pub enum HostProofError {
    #[error("the agent was started without {HOST_KEY_VARIABLE}, so it proves no host key")]
    NotMade,
    #[error("the question names no Region, no host, or a challenge of another length")]
    Question,
    #[error(transparent)]
    Credentials(#[from] TaskCredentialsError),
    #[error("the agent could not sign: {0}")]
    Signing(String),
}

impl TaskRoleProver {
    /// Makes one for this host key.
    pub fn of(host_key: &PublicKey) -> Self {
        Self { host_key: host_key.fingerprint(HashAlg::Sha256).to_string() }
    }

    /// Signs with the credentials of the task's role.
    ///
    /// # Errors
    ///
    /// Returns [`HostProofError`] if the question is odd, or if there are no credentials.
    pub async fn prove(
        &self,
        asked: &HostProofRequest,
        challenge: &[u8],
    ) -> Result<HostProof, HostProofError> {
        if !asked.is_plausible() || challenge.len() != CHALLENGE_LENGTH {
            return Err(HostProofError::Question);
        }
        let endpoint = CredentialsEndpoint::find(|name| std::env::var(name).ok())?;
        let credentials = endpoint.ask().await?;
        let challenge = hex::encode(challenge);
        let statement = HostProofStatement {
            host: &asked.host,
            challenge: &challenge,
            host_key: &self.host_key,
        };
        signed(&statement, &asked.region, credentials, SystemTime::now())
            .map_err(|error| HostProofError::Signing(error.to_string()))
    }
}

fn signed(
    statement: &HostProofStatement<'_>,
    region: &str,
    credentials: TaskCredentials,
    now: SystemTime,
) -> Result<HostProof, Box<dyn std::error::Error>> {
    let TaskCredentials { access_key_id, secret_access_key, token } = credentials;
    let identity = Credentials::new(
        access_key_id.clone(),
        secret_access_key,
        Some(token.clone()),
        None,
        "the task's role",
    )
    .into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(PROOF_SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let headers = statement.headers();
    // Only its path counts. The host is a header, as it is for the client.
    let url = format!("https://{}/", statement.host);
    let request = SignableRequest::new(
        "POST",
        url,
        headers.iter().map(|(name, value)| (*name, value.as_str())),
        SignableBody::Bytes(PROOF_BODY.as_bytes()),
    )?;
    let (instructions, signature) = sign(request, &params)?.into_parts();
    let date = instructions.headers().find(|(name, _)| *name == "x-amz-date");
    let date = date.ok_or("the signature has no date")?.1.to_owned();
    let proof = HostProof { access_key_id, session_token: token, date, signature };
    match proof.broken_part() {
        None => Ok(proof),
        Some(part) => Err(format!("the {part} has another shape than that of AWS").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn of(host: &str, challenge: &str, host_key: &str, region: &str) -> HostProof {
        let credentials = TaskCredentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: "AQoDYXdzEPT//////////wEXAMPLE".to_owned(),
        };
        let statement = HostProofStatement { host, challenge, host_key };
        let now = UNIX_EPOCH + Duration::from_secs(1_796_000_000);
        signed(&statement, region, credentials, now).unwrap()
    }

    #[test]
    fn the_signature_is_the_one_that_another_implementation_gives() {
        let proof = of("sts.eu-west-1.amazonaws.com", "c0ffee", "SHA256:abc", "eu-west-1");
        assert_eq!(proof.date, "20261130T005320Z");
        // Source: `SigV4Auth` of botocore 1.43, for the same request.
        let expected = "678b8298f092794924d734e2041f65aec6cdbbe6b216b8f1e6d7e91b557cc310";
        assert_eq!(proof.signature, expected);
    }

    #[test]
    fn each_part_of_the_statement_changes_the_signature() {
        let one = of("sts.eu-west-1.amazonaws.com", "c0ffee", "SHA256:abc", "eu-west-1");
        for other in [
            of("sts.eu-west-2.amazonaws.com", "c0ffee", "SHA256:abc", "eu-west-1"),
            of("sts.eu-west-1.amazonaws.com", "c0ffef", "SHA256:abc", "eu-west-1"),
            of("sts.eu-west-1.amazonaws.com", "c0ffee", "SHA256:abd", "eu-west-1"),
            of("sts.eu-west-1.amazonaws.com", "c0ffee", "SHA256:abc", "eu-west-2"),
        ] {
            assert_ne!(one.signature, other.signature);
        }
    }

    #[tokio::test]
    async fn an_odd_question_is_answered_with_no_signature() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOBBifyzt+3ro2UXhit/0ao6EQvecTHZ9SV2SRSdakUY";
        let prover = TaskRoleProver::of(&PublicKey::from_openssh(key).unwrap());
        assert!(prover.host_key.starts_with("SHA256:"), "{}", prover.host_key);
        let asked = |host: &str| HostProofRequest { region: "eu-west-1".into(), host: host.into() };
        for (asked, challenge) in [(asked("h x"), &[7; 32][..]), (asked("h"), &[7; 31])] {
            let error = prover.prove(&asked, challenge).await.unwrap_err();
            assert!(matches!(error, HostProofError::Question), "{error}");
        }
    }
}
