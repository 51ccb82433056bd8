//! Whether AWS knows who asks. Without credentials nothing else is known, so this says what is wrong with them.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::views::IdentityTrouble;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let access = &input.view.access;
    let identity = match access.identity.or_unknown("who asks") {
        Ok(identity) => identity,
        Err(unknown) => return vec![access.trouble.as_ref().map_or(unknown, trouble)],
    };
    let (account, arn, region) = (&identity.account, &identity.arn, &access.region);
    let found = format!("{arn}, account {account}, Region {region}");
    vec![match access.is_root() {
        false => CheckFinding::pass(found),
        true => CheckFinding::warn(format!(
            "{found}: the root user of the account may do everything"
        ))
        .fix(
            "let a role of its own run the manager: `fargate-runner iam-policy` prints its policy",
        ),
    }]
}

fn trouble(trouble: &IdentityTrouble) -> CheckFinding {
    match trouble {
        IdentityTrouble::NoCredentials { error } => {
            CheckFinding::unknown(format!("this host has no credentials for AWS: {error}"))
                .fix("give the host an instance profile, or set AWS_PROFILE or the keys of a role")
        }
        IdentityTrouble::Expired { error } => {
            CheckFinding::unknown(format!("the credentials of this host have expired: {error}"))
                .fix("get new ones, for example with `aws sso login`, and run the check again")
        }
        IdentityTrouble::Refused { error } => {
            CheckFinding::unknown(format!("AWS does not accept the credentials of this host: {error}"))
                .fix("correct the keys; `aws sts get-caller-identity` shows when they work")
        }
        IdentityTrouble::RoleRefused { role, error } => {
            CheckFinding::unknown(format!("AWS does not give this host the role {role}: {error}"))
                .fix("correct `assume_role_arn`, or let the role's trust policy name this host's identity")
        }
        IdentityTrouble::NotReached { endpoint, error } => {
            CheckFinding::unknown(format!("{endpoint} does not answer: {error}")).fix(
                "correct the Region (`region`, AWS_REGION), the endpoint (AWS_ENDPOINT_URL) or the proxy \
                 of this host",
            )
        }
    }
}
