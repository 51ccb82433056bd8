//! Reads roles of IAM with their policies, and asks whether they have rights: by IAM's simulation, else by
//! their own policies.

use std::collections::BTreeMap;

use fargate_aws::{AwsAccount, PolicySimulation, SimulatedAction};
use futures_util::future::{join, join_all};
use tokio::time::Instant;

use crate::needed_rights::NeededRight;
use crate::policy::{PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion, answer_of};
use crate::read::asked::asked;
use crate::reading::AwsReading;
use crate::views::{RightAnswer, RightState, RolePolicyText, RoleView};

const SIMULATE: &str = "iam:SimulatePrincipalPolicy";

/// Reads one role, named by its name or its ARN.
pub(crate) async fn read_role(account: &AwsAccount, named: &str, deadline: Instant) -> RoleView {
    let name = role_name(named);
    let role = asked("iam:GetRole", deadline, || account.iam_role(name));
    let (role, policies) = join(role, read_policies(account, name, deadline)).await;
    let is_missing = matches!(role, AwsReading::Known(None));
    let policies = if is_missing { AwsReading::Known(Vec::new()) } else { policies };
    RoleView { name: named.to_owned(), role, policies, rights: Vec::new() }
}

/// A role of another account. No task of this account gets it, so nothing is asked of it.
pub(crate) fn role_of_other_account(named: &str) -> RoleView {
    RoleView {
        name: named.to_owned(),
        role: AwsReading::Known(None),
        policies: AwsReading::Known(Vec::new()),
        rights: Vec::new(),
    }
}

/// The name in a role's name or ARN, which may have a path.
fn role_name(named: &str) -> &str {
    match named.starts_with("arn:") {
        true => named.rsplit('/').next().unwrap_or(named),
        false => named,
    }
}

async fn read_policies(
    account: &AwsAccount,
    role: &str,
    deadline: Instant,
) -> AwsReading<Vec<RolePolicyText>> {
    let attached =
        asked("iam:ListAttachedRolePolicies", deadline, || account.attached_policies(role));
    let inline = asked("iam:ListRolePolicies", deadline, || account.inline_policy_names(role));
    let (attached, inline) = join(attached, inline).await;
    let (AwsReading::Known(attached), AwsReading::Known(inline)) = (&attached, &inline) else {
        return attached.failed().or_else(|| inline.failed()).unwrap_or_default();
    };
    let managed = join_all(attached.iter().map(|policy| async {
        let text = asked("iam:GetPolicyVersion", deadline, || account.managed_policy(&policy.arn));
        text.await.map(|text| RolePolicyText { name: policy.name.clone(), text })
    }));
    let own = join_all(inline.iter().map(|name| async {
        let text = asked("iam:GetRolePolicy", deadline, || account.inline_policy(role, name));
        text.await.map(|text| RolePolicyText { name: name.clone(), text })
    }));
    let (managed, own) = join(managed, own).await;
    let mut all = Vec::new();
    for reading in managed.into_iter().chain(own) {
        match reading {
            AwsReading::Known(policy) => all.push(policy),
            other => return other.failed().unwrap_or_default(),
        }
    }
    AwsReading::Known(all)
}

/// Asks IAM which of these rights a user or role has: one question for each resource and set of conditions.
pub(crate) async fn simulate(
    account: &AwsAccount,
    principal: &str,
    rights: &[NeededRight],
    deadline: Instant,
) -> Vec<RightAnswer> {
    type Subject<'a> = (&'a str, &'a [(String, String)]);
    let mut subjects: BTreeMap<Subject<'_>, Vec<&NeededRight>> = BTreeMap::new();
    for right in rights {
        subjects.entry((&right.resource, &right.context)).or_default().push(right);
    }
    let answers = join_all(subjects.into_iter().map(|((resource, context), rights)| async move {
        let simulation = PolicySimulation {
            principal: principal.to_owned(),
            actions: rights.iter().map(|right| right.action.clone()).collect(),
            resource: resource.to_owned(),
            context: context.to_vec(),
        };
        let found = asked(SIMULATE, deadline, || account.simulate_policy(&simulation)).await;
        let answer = |right: &NeededRight| RightAnswer {
            right: right.clone(),
            state: simulated(right, &found),
        };
        rights.into_iter().map(answer).collect::<Vec<_>>()
    }));
    answers.await.into_iter().flatten().collect()
}

fn simulated(
    right: &NeededRight,
    found: &AwsReading<Vec<SimulatedAction>>,
) -> AwsReading<RightState> {
    let AwsReading::Known(found) = found else { return found.failed().unwrap_or_default() };
    let same = |one: &&SimulatedAction| one.action.eq_ignore_ascii_case(&right.action);
    let Some(one) = found.iter().find(same) else {
        let why = format!("{SIMULATE}: the answer has nothing about {}", right.action);
        return AwsReading::NotRead { why };
    };
    AwsReading::Known(match one {
        SimulatedAction { is_allowed: true, .. } => RightState::Allowed,
        SimulatedAction { is_denied_by_name: false, missing_keys, .. }
            if !missing_keys.is_empty() =>
        {
            RightState::Unclear { why: format!("it depends on `{}`", missing_keys.join("`, `")) }
        }
        SimulatedAction { is_denied_by_name, is_denied_by_organization, .. } => {
            RightState::Denied { by_name: *is_denied_by_name || *is_denied_by_organization }
        }
    })
}

/// What the policies of a role say of a right, where IAM's simulation may not be asked. Nothing is known if the
/// policies are not.
pub(crate) fn by_own_policies(role: &RoleView, right: &NeededRight) -> Option<RightState> {
    let (found, policies) = (role.role.known()?.as_ref(), role.policies.known()?);
    let documents: Result<Vec<PolicyDocument>, String> =
        policies.iter().map(|policy| PolicyDocument::read(&policy.text)).collect();
    let documents = match documents {
        Ok(documents) => documents,
        Err(why) => {
            return Some(RightState::Unclear { why: format!("a policy cannot be read: {why}") });
        }
    };
    let context: Vec<(&str, &str)> =
        right.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let question = PolicyQuestion {
        principal: PolicyPrincipal::OfIdentity,
        action: &right.action,
        resource: Some(&right.resource),
        context: &context,
    };
    Some(match answer_of(&documents, question) {
        PolicyAnswer::Allowed => match found.and_then(|role| role.boundary.as_ref()) {
            Some(boundary) => {
                RightState::Unclear { why: format!("the boundary {boundary} may deny it") }
            }
            None => RightState::Allowed,
        },
        PolicyAnswer::Denied => RightState::Denied { by_name: true },
        PolicyAnswer::Silent => RightState::Denied { by_name: false },
        PolicyAnswer::Unclear(why) => RightState::Unclear { why },
    })
}

/// Asks for the rights of a role, and looks into its policies where IAM may not be asked.
pub(crate) async fn rights_of(
    account: &AwsAccount,
    role: &RoleView,
    arn: &str,
    rights: &[NeededRight],
    deadline: Instant,
) -> Vec<RightAnswer> {
    let mut answers = simulate(account, arn, rights, deadline).await;
    answers.iter_mut().for_each(|answer| answer.state = with_own_policies(role, answer));
    answers
}

/// The answer of IAM together with what the role's own policies say. Where IAM was not asked, they decide. Where
/// they allow what IAM refuses without a reason, nobody knows why.
fn with_own_policies(role: &RoleView, answer: &RightAnswer) -> AwsReading<RightState> {
    let own = || by_own_policies(role, &answer.right);
    match &answer.state {
        AwsReading::Known(RightState::Denied { by_name: false }) => match own() {
            Some(RightState::Allowed) => {
                let why = "IAM's simulation refuses it, and the policies of the role allow it";
                AwsReading::Known(RightState::Unclear { why: why.to_owned() })
            }
            _ => answer.state.clone(),
        },
        AwsReading::Known(_) => answer.state.clone(),
        _ => own().map_or_else(|| answer.state.clone(), AwsReading::Known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_aws::IamRole;

    fn right(action: &str) -> NeededRight {
        NeededRight {
            action: action.to_owned(),
            resource: "arn:x".to_owned(),
            context: Vec::new(),
            only_for: None,
        }
    }

    #[test]
    fn a_refusal_that_lacked_a_key_is_unclear_and_one_by_name_is_not() {
        let one = |by_name: bool, keys: &[&str]| SimulatedAction {
            action: "ecs:RunTask".to_owned(),
            is_allowed: false,
            is_denied_by_name: by_name,
            is_denied_by_organization: false,
            missing_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let of = |one| simulated(&right("ecs:RunTask"), &AwsReading::Known(vec![one]));
        assert!(matches!(of(one(false, &["k"])), AwsReading::Known(RightState::Unclear { .. })));
        assert_eq!(of(one(true, &["k"])), AwsReading::Known(RightState::Denied { by_name: true }));
        assert_eq!(of(one(false, &[])), AwsReading::Known(RightState::Denied { by_name: false }));
        let nothing = simulated(&right("ecs:RunTask"), &AwsReading::Known(Vec::new()));
        assert!(matches!(nothing, AwsReading::NotRead { .. }), "no answer is no permission");
    }

    #[test]
    fn a_role_is_named_by_the_end_of_its_arn() {
        assert_eq!(role_name("arn:aws:iam::123456789012:role/ci/task"), "task");
        assert_eq!(role_name("ci-task"), "ci-task");
    }

    #[test]
    fn own_policies_answer_where_all_of_them_are_known() {
        let text = r#"{"Statement": {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}}"#;
        let policy = RolePolicyText { name: "p".to_owned(), text: text.to_owned() };
        let mut role = RoleView {
            name: "ci".to_owned(),
            role: AwsReading::Known(Some(IamRole {
                name: "ci".to_owned(),
                arn: "arn:aws:iam::123456789012:role/ci".to_owned(),
                trust: String::new(),
                boundary: None,
            })),
            policies: AwsReading::Known(vec![policy]),
            rights: Vec::new(),
        };
        let of = |role: &RoleView, action| by_own_policies(role, &right(action));
        assert_eq!(of(&role, "ecs:RunTask"), Some(RightState::Allowed));
        assert_eq!(of(&role, "iam:PassRole"), Some(RightState::Denied { by_name: false }));
        let of_iam = |state| RightAnswer { right: right("ecs:RunTask"), state };
        let refused = of_iam(AwsReading::Known(RightState::Denied { by_name: false }));
        let both = with_own_policies(&role, &refused);
        assert!(matches!(both, AwsReading::Known(RightState::Unclear { .. })), "{both:?}");
        let by_name = of_iam(AwsReading::Known(RightState::Denied { by_name: true }));
        assert_eq!(with_own_policies(&role, &by_name), by_name.state);
        let unasked = of_iam(AwsReading::default());
        assert_eq!(with_own_policies(&role, &unasked), AwsReading::Known(RightState::Allowed));
        role.policies = AwsReading::default();
        assert_eq!(of(&role, "ecs:RunTask"), None);
        assert_eq!(with_own_policies(&role, &unasked), AwsReading::default());
    }
}
