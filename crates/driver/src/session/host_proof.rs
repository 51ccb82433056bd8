//! Proves a task's host key by the task's own role (`host_key = "sts"`).
//!
//! The other side sends the parts of a signed request that this driver cannot know. The driver builds
//! the whole request from constants, its own challenge and the host key that it saw in the key
//! exchange, sends it to STS, and accepts one answer only: the expected role, in a session that has the
//! name of the expected task. It reads nothing else that the other side says, because a value that is
//! built here need not be checked.
//!
//! Whoever holds a proof of another task, of another key or of another challenge holds nothing: then
//! the request that is built here is another one than the one that was signed.

use fargate_aws::{AwsAccount, CallError, CallerIdentity, retry};
use fargate_config::JobTimeouts;
use fargate_model::id::TaskArn;
use fargate_protocol::{HostProof, HostProofRequest, HostProofStatement, PROOF_BODY};
use russh::keys::{HashAlg, PublicKey};
use tokio::time::Instant;

use super::version_skew::AgentInfo;

/// The role and the account of a task, and the task: who must have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExpectedSigner {
    partition: String,
    account: String,
    role: String,
    task: String,
}

/// Asks STS who signed the proof of a task.
#[derive(Clone, Debug)]
pub struct TaskRoleVerifier {
    account: AwsAccount,
    /// The role's ARN, or its name in the account of the task.
    role: String,
    /// `None` before there is a task. Then no proof is accepted.
    task: Option<TaskArn>,
}

/// What an agent answered to the question for a proof.
#[derive(Debug)]
pub(super) struct HostProofAnswer {
    /// What this driver sent, as hexadecimal digits.
    pub challenge: String,
    /// The proof.
    pub proof: Option<HostProof>,
    /// The agent's reason for giving none.
    pub unproven: Option<String>,
}

/// Why a host key is not proven by the task's role.
#[derive(Debug, thiserror::Error)]
pub enum HostProofFailure {
    /// The agent gave no proof.
    #[error("{why}")]
    Missing {
        /// Why.
        why: String,
    },
    /// STS could not be asked, or its answer could not be read.
    #[error("asking STS at {endpoint} who signed the proof: {error}")]
    Unchecked {
        /// Where STS was asked.
        endpoint: String,
        /// What failed.
        error: CallError,
    },
    /// What the agent sent cannot be a proof.
    #[error("the {part} of the proof has another shape than that of AWS")]
    Odd {
        /// The part.
        part: &'static str,
    },
    /// STS says that nobody signed this request.
    #[error("STS refused the proof: {error}")]
    Refused {
        /// The words of STS.
        error: CallError,
    },
    /// Another role or user signed.
    #[error("{signer} signed the proof, and {expected} was expected")]
    OtherRole {
        /// Who signed, as STS says.
        signer: String,
        /// Who should have signed.
        expected: String,
        /// The name of the expected role.
        role: String,
    },
    /// The right role signed, in a session of another name.
    #[error("{signer} signed the proof; the session of our task has its id as its name, {task}")]
    OtherTask {
        /// Who signed, as STS says.
        signer: String,
        /// The id of the expected task.
        task: String,
    },
}

impl HostProofFailure {
    /// Whether another machine may be the reason.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Unchecked { .. } => false,
            Self::Odd { .. }
            | Self::Refused { .. }
            | Self::OtherRole { .. }
            | Self::OtherTask { .. } => true,
        }
    }
}

impl TaskRoleVerifier {
    /// Makes one that asks the STS of `account`. `role` is the task role: its ARN, or its name.
    #[must_use]
    pub fn new(account: &AwsAccount, role: &str) -> Self {
        Self { account: account.clone(), role: role.to_owned(), task: None }
    }

    /// The same, for this task and no other.
    #[must_use]
    pub fn for_task(&self, task: &TaskArn) -> Self {
        Self { task: Some(task.clone()), ..self.clone() }
    }

    /// What the agent is asked to sign for.
    pub(super) fn question(&self) -> Result<HostProofRequest, HostProofFailure> {
        let endpoint = self.account.identity_endpoint();
        let endpoint = endpoint.map_err(|error| self.unchecked(error))?;
        Ok(HostProofRequest { region: self.account.region().to_owned(), host: endpoint.host })
    }

    /// Checks what the agent answered about the host key that the key exchange showed. What may pass
    /// is asked again, for as long as a call to AWS may take.
    pub(super) async fn verify(
        &self,
        host_key: &PublicKey,
        agent: &AgentInfo,
        answer: HostProofAnswer,
        timeouts: &JobTimeouts,
    ) -> Result<(), HostProofFailure> {
        let Some(task) = &self.task else {
            let why = "no task is known that could prove it".to_owned();
            return Err(HostProofFailure::Missing { why });
        };
        let expected = ExpectedSigner::of(&self.role, task);
        let proof = proof_in(&answer, agent)?;
        if let Some(part) = proof.broken_part() {
            return Err(HostProofFailure::Odd { part });
        }
        let endpoint = self.account.identity_endpoint();
        let endpoint = endpoint.map_err(|error| self.unchecked(error))?;
        let fingerprint = host_key.fingerprint(HashAlg::Sha256).to_string();
        let statement = HostProofStatement {
            host: &endpoint.host,
            challenge: &answer.challenge,
            host_key: &fingerprint,
        };
        let headers = statement.signed_by(proof, self.account.region());
        let deadline = Instant::now() + timeouts.aws_call;
        let ask = || self.account.identity_of(&endpoint, &headers, PROOF_BODY);
        match retry(deadline, ask).await {
            Ok(signer) => expected.is(&signer),
            Err(error @ CallError::Answered { .. }) if !error.is_transient() => {
                Err(HostProofFailure::Refused { error })
            }
            Err(error) => Err(self.unchecked(error)),
        }
    }

    fn unchecked(&self, error: CallError) -> HostProofFailure {
        HostProofFailure::Unchecked { endpoint: self.account.endpoint("sts"), error }
    }
}

/// The proof, or why there is none: the agent says why, or it is from before such proofs.
fn proof_in<'a>(
    answer: &'a HostProofAnswer,
    agent: &AgentInfo,
) -> Result<&'a HostProof, HostProofFailure> {
    let HostProofAnswer { proof, unproven, .. } = answer;
    if let Some(proof) = proof {
        return Ok(proof);
    }
    let why = match unproven {
        Some(why) => why.clone(),
        None if agent.has(fargate_protocol::HOST_PROOF) => "the agent did not say why".to_owned(),
        None => format!("{} is from before proofs by the task's role", agent.name),
    };
    Err(HostProofFailure::Missing { why })
}

impl ExpectedSigner {
    /// Who must have signed for `task`: its role, in a session that has the task's id as its name.
    ///
    /// Source of the session's name: amazon-ecs-agent issue 3498 and containers-roadmap issue 1917, both
    /// of AWS on GitHub, where people ask for another name. AWS's documentation does not say it.
    /// Source of the ARN without the role's path: AWS IAM User Guide, "IAM identifiers".
    fn of(role: &str, task: &TaskArn) -> Self {
        // A name alone means a role of the task's own account.
        let arn = if role.starts_with("arn:") { role } else { task.0.as_str() };
        let mut parts = arn.split(':');
        let partition = parts.nth(1).unwrap_or_default().to_owned();
        let account = parts.nth(2).unwrap_or_default().to_owned();
        let role = role.rsplit('/').next().unwrap_or_default().to_owned();
        Self { partition, account, role, task: task.task_id().to_owned() }
    }

    fn of_role(&self) -> String {
        let Self { partition, account, role, .. } = self;
        format!("arn:{partition}:sts::{account}:assumed-role/{role}/")
    }

    fn is(&self, signer: &CallerIdentity) -> Result<(), HostProofFailure> {
        let of_role = self.of_role();
        // A text that only begins or ends like the expected one is another one.
        let session = signer.arn.strip_prefix(&of_role).filter(|_| signer.account == self.account);
        let shown = || fargate_model::text::escape_within(&signer.arn, 200);
        match session {
            Some(session) if session == self.task && !self.task.is_empty() => Ok(()),
            Some(_) => {
                Err(HostProofFailure::OtherTask { signer: shown(), task: self.task.clone() })
            }
            None => Err(HostProofFailure::OtherRole {
                signer: shown(),
                expected: format!("{of_role}{}", self.task),
                role: self.role.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "arn:aws:ecs:eu-west-1:123456789012:task/ci/0123456789abcdef";

    fn judged(role: &str, account: &str, arn: &str) -> Result<(), String> {
        let signer = CallerIdentity { account: account.to_owned(), arn: arn.to_owned() };
        let expected = ExpectedSigner::of(role, &TaskArn(TASK.to_owned()));
        expected.is(&signer).map_err(|error| error.to_string())
    }

    #[test]
    fn the_role_and_the_task_are_both_needed_and_a_path_is_no_part_of_the_name() {
        let own = "arn:aws:sts::123456789012:assumed-role/ci-task/0123456789abcdef";
        for role in [
            "ci-task",
            "arn:aws:iam::123456789012:role/ci-task",
            "arn:aws:iam::123456789012:role/teams/a/ci-task",
        ] {
            assert_eq!(judged(role, "123456789012", own), Ok(()), "{role}");
        }
        let role = "arn:aws:iam::123456789012:role/ci-task";
        for other in [
            "arn:aws:sts::123456789012:assumed-role/ci-task/0123456789abcde0",
            "arn:aws:sts::123456789012:assumed-role/ci-task/x0123456789abcdef",
            "arn:aws:sts::123456789012:assumed-role/ci-task/0123456789abcdef/x",
            "arn:aws:sts::123456789012:assumed-role/ci-task/",
            "arn:aws:sts::123456789012:assumed-role/ci-task2/0123456789abcdef",
            "arn:aws:sts::123456789012:assumed-role/x/ci-task/0123456789abcdef",
            "arn:aws:sts::999999999999:assumed-role/ci-task/0123456789abcdef",
            "arn:aws-cn:sts::123456789012:assumed-role/ci-task/0123456789abcdef",
            "arn:aws:iam::123456789012:user/0123456789abcdef",
            "arn:aws:iam::123456789012:root",
            "",
        ] {
            assert!(judged(role, "123456789012", other).is_err(), "{other}");
        }
        // The two members must say the same.
        assert!(judged(role, "999999999999", own).is_err());
    }

    #[test]
    fn who_signed_instead_is_named() {
        let role = "arn:aws:iam::123456789012:role/ci-task";
        let other = "arn:aws:sts::123456789012:assumed-role/ci-task/fedcba9876543210";
        insta::assert_snapshot!(judged(role, "123456789012", other).unwrap_err(), @"arn:aws:sts::123456789012:assumed-role/ci-task/fedcba9876543210 signed the proof; the session of our task has its id as its name, 0123456789abcdef");
        let other = "arn:aws:iam::123456789012:user/eve";
        insta::assert_snapshot!(judged(role, "123456789012", other).unwrap_err(), @"arn:aws:iam::123456789012:user/eve signed the proof, and arn:aws:sts::123456789012:assumed-role/ci-task/0123456789abcdef was expected");
    }

    #[test]
    fn an_agent_that_proves_nothing_says_why_or_is_too_old() {
        let why = |unproven: Option<&str>, features: &[&str]| {
            let unproven = unproven.map(str::to_owned);
            let answer = HostProofAnswer { challenge: String::new(), proof: None, unproven };
            let features = features.iter().map(|&feature| feature.to_owned()).collect();
            let name = "fargate-agent 0.1.0".to_owned();
            let agent = AgentInfo { name, day: None, features };
            proof_in(&answer, &agent).unwrap_err().to_string()
        };
        assert_eq!(why(Some("no role"), &[]), "no role");
        assert_eq!(
            why(None, &["resume"]),
            "fargate-agent 0.1.0 is from before proofs by the task's role"
        );
        assert_eq!(why(None, &[fargate_protocol::HOST_PROOF]), "the agent did not say why");
    }
}
