//! Why a policy cannot be used. What this cloud could not evaluate, it refuses at once, so that no call is
//! judged wrongly later.

/// Why a policy is not taken.
#[derive(Debug, thiserror::Error)]
pub enum IdentityPolicyError {
    #[error("the policy is not JSON: {0}")]
    NoJson(serde_json::Error),
    #[error("the policy has no {0}")]
    Missing(&'static str),
    #[error("the policy has {member} {given}; allowed: {allowed}")]
    Wrong { member: &'static str, given: String, allowed: &'static str },
    #[error("this local cloud does not evaluate {0} in a policy; leave it out")]
    NotEvaluated(String),
}
