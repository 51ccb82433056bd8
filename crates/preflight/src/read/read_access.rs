//! Reads what the manager and the roles of tasks may do.

use std::collections::{BTreeMap, BTreeSet};

use fargate_aws::{AwsAccount, CallError, EcsOperation};
use fargate_config::JobProfile;
use futures_util::future::{join, join_all, join3};
use serde_json::json;
use tokio::time::Instant;

use crate::job_needs::JobNeeds;
use crate::needed_rights::{
    AccountPlace, DescribedSecret, NO_TASK, NeededRight, cluster_name, execution_rights,
    manager_rights, pass_right, pass_rights,
};
use crate::read::asked::asked;
use crate::read::read_host::IdentityReading;
use crate::read::read_roles::{read_role, rights_of, role_of_other_account, simulate};
use crate::reading::AwsReading;
use crate::views::{
    AccessView, ClusterView, DefinitionFacts, RegistryView, RightAnswer, RightState, RoleView,
};

/// The name of a role that no account has, to ask whether any role may be passed.
pub(crate) const OTHER_ROLE: &str = "fargate-runner-check-of-another-role";

/// What was read before, and on which rights depend.
#[derive(Clone, Copy)]
pub(crate) struct AccessBasis<'a> {
    pub needs: &'a JobNeeds,
    pub cluster: &'a ClusterView,
    pub registry: &'a RegistryView,
}

impl AccessBasis<'_> {
    /// What is known of a secret.
    fn secret(&self, name: &str) -> DescribedSecret {
        let Some(found) = self.registry.secrets.get(name) else {
            return DescribedSecret::default();
        };
        let description = found.description.known().and_then(|found| found.as_ref());
        let key = found.key.as_ref().and_then(|key| key.known()?.as_ref());
        DescribedSecret {
            arn: description.map(|found| found.arn.clone()).filter(|arn| !arn.is_empty()),
            key: key.filter(|key| !key.is_of_aws).map(|key| key.arn.clone()),
        }
    }

    /// Each profile with its task definition, as far as it is known.
    fn profiles(&self) -> impl Iterator<Item = (&JobProfile, Option<&DefinitionFacts>)> {
        let definitions = self.cluster.definitions.iter();
        let known = definitions.map(|found| found.known().and_then(|found| found.as_ref().ok()));
        self.needs.profiles.iter().zip(known)
    }
}

/// Reads all of it. Without an identity nothing can be asked.
pub(crate) async fn read_access(
    account: &AwsAccount,
    who: IdentityReading,
    basis: AccessBasis<'_>,
    deadline: Instant,
) -> AccessView {
    let view = AccessView {
        identity: who.identity,
        trouble: who.trouble,
        region: account.region().to_owned(),
        ..AccessView::default()
    };
    let Some(identity) = view.identity.known().cloned() else { return view };
    let place = AccountPlace::new(account.region(), &identity);
    let manager = session_role(&identity.arn);
    let manager = async {
        match manager {
            Some(name) => Some(read_role(account, &name, deadline).await),
            None => None,
        }
    };
    let names: BTreeSet<String> = role_names(basis);
    let roles = join_all(names.iter().map(|name| {
        let is_of_other = place.other_account(name).is_some();
        async move {
            match is_of_other {
                // The role of that name in this account is another one.
                true => role_of_other_account(name),
                false => read_role(account, name, deadline).await,
            }
        }
    }));
    let dry =
        join(dry_calls(account, basis.needs, deadline), dry_runs(account, basis, &place, deadline));
    let (manager, roles, (proven, decided)) = join3(manager, roles, dry).await;
    let answered = AnsweredCalls { proven, decided };
    let asked_roles = join_all(roles.into_iter().map(|role| async {
        let rights = rights_by_role(&role, basis, &place);
        let arn = arn_of(&role, &place);
        let rights = rights_of(account, &role, &arn, &rights, deadline).await;
        RoleView { rights, ..role }
    }));
    let of_manager = async {
        match view.is_root() {
            true => (Vec::new(), AwsReading::Known(RightState::Allowed)),
            false => {
                read_manager(
                    account,
                    &identity.arn,
                    manager.as_ref(),
                    basis,
                    &place,
                    &answered,
                    deadline,
                )
                .await
            }
        }
    };
    let (roles, (rights, other)) = join(asked_roles, of_manager).await;
    AccessView { manager, rights, passes_other_roles: other, roles, ..view }
}

/// The name of the role in the ARN of a session; `None` if it is no session of a role.
fn session_role(arn: &str) -> Option<String> {
    let (_, session) = arn.split_once(":assumed-role/")?;
    session.split('/').next().map(str::to_owned)
}

fn role_names(basis: AccessBasis<'_>) -> BTreeSet<String> {
    let facts = basis.profiles().filter_map(|(_, facts)| facts);
    let of_facts = facts.flat_map(|facts| facts.execution_role.iter().chain(&facts.task_role));
    let of_profiles = basis.needs.profiles.iter().filter_map(|profile| profile.task_role.as_ref());
    of_facts.chain(of_profiles).cloned().collect()
}

fn arn_of(role: &RoleView, place: &AccountPlace) -> String {
    let known = role.role.known().and_then(|found| found.as_ref());
    known.map_or_else(|| place.role_arn(&role.name), |found| found.arn.clone())
}

/// What the manager needs for all profiles.
pub(crate) fn rights_of_manager(basis: AccessBasis<'_>, place: &AccountPlace) -> Vec<NeededRight> {
    let known = |secret: &str| basis.secret(secret);
    let mut rights = BTreeSet::new();
    for (profile, facts) in basis.profiles() {
        rights.extend(manager_rights(profile, facts, place, &known));
        rights.extend(facts.into_iter().flat_map(|facts| pass_rights(facts, place)));
        rights.extend(profile.task_role.as_ref().map(|role| pass_right(&place.role_arn(role))));
    }
    rights.into_iter().collect()
}

/// What a role needs as the execution role of the definitions that name it.
pub(crate) fn rights_by_role(
    role: &RoleView,
    basis: AccessBasis<'_>,
    place: &AccountPlace,
) -> Vec<NeededRight> {
    if matches!(role.role, AwsReading::Known(None)) {
        return Vec::new();
    }
    let facts = basis.profiles().filter_map(|(_, facts)| facts);
    let own = facts.filter(|facts| facts.execution_role.as_ref() == Some(&role.name));
    let known = |secret: &str| basis.secret(secret);
    let rights: BTreeSet<NeededRight> =
        own.flat_map(|facts| execution_rights(facts, place, &known)).collect();
    rights.into_iter().collect()
}

/// The rights of EC2 that a manager may need. EC2 says itself whether it has them.
const EC2_RIGHTS: [&str; 1] = ["ec2:DescribeNetworkInterfaces"];

/// An action, and the cluster in which it is proven; `None` for what belongs to no cluster.
type ProvenRight = (&'static str, Option<String>);

/// What calls of this identity say of its rights.
struct AnsweredCalls {
    /// Rights whose call succeeded.
    proven: BTreeSet<ProvenRight>,
    /// Rights of which EC2 said whether it has them. That counts everything: also boundaries, and the
    /// policies of an organisation.
    decided: BTreeMap<&'static str, bool>,
}

impl AnsweredCalls {
    fn correct(&self, answer: &mut RightAnswer) {
        let action = answer.right.action.as_str();
        let state = match self.decided.get(action) {
            Some(true) => RightState::Allowed,
            // What denies it is not told. The simulation may know.
            Some(false) => match &answer.state {
                AwsReading::Known(denied @ RightState::Denied { .. }) => denied.clone(),
                _ => RightState::Denied { by_name: false },
            },
            // A call that succeeded proves its right, whatever the policies were not asked.
            None if answer.state.known().is_none() && self.proves(&answer.right) => {
                RightState::Allowed
            }
            None => return,
        };
        answer.state = AwsReading::Known(state);
    }

    fn proves(&self, right: &NeededRight) -> bool {
        let cluster = right.context.iter().find(|(key, _)| key == "ecs:cluster");
        let cluster = cluster.map(|(_, arn)| cluster_name(arn));
        self.proven.iter().any(|(action, of)| *action == right.action && of.as_deref() == cluster)
    }
}

/// Asks EC2 whether it would allow the calls of jobs, as dry runs.
async fn dry_runs(
    account: &AwsAccount,
    basis: AccessBasis<'_>,
    place: &AccountPlace,
    deadline: Instant,
) -> BTreeMap<&'static str, bool> {
    let needed = rights_of_manager(basis, place);
    let is_needed = |right: &&str| needed.iter().any(|it| it.action == **right);
    let asked = EC2_RIGHTS.into_iter().filter(is_needed).map(|right| async move {
        let answer = asked(right, deadline, || account.ec2_allows(right)).await;
        answer.known().map(|allows| (right, *allows))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn read_manager(
    account: &AwsAccount,
    identity: &str,
    manager: Option<&RoleView>,
    basis: AccessBasis<'_>,
    place: &AccountPlace,
    answered: &AnsweredCalls,
    deadline: Instant,
) -> (Vec<RightAnswer>, AwsReading<RightState>) {
    let rights = rights_of_manager(basis, place);
    let other = [pass_right(&place.role_arn(OTHER_ROLE))];
    let (mut answers, mut other) = match manager {
        Some(role) => {
            let arn = arn_of(role, place);
            let of_rights = rights_of(account, role, &arn, &rights, deadline);
            join(of_rights, rights_of(account, role, &arn, &other, deadline)).await
        }
        None => {
            let of_rights = simulate(account, identity, &rights, deadline);
            join(of_rights, simulate(account, identity, &other, deadline)).await
        }
    };
    for answer in &mut answers {
        answered.correct(answer);
    }
    (answers, other.pop().map(|answer| answer.state).unwrap_or_default())
}

/// Calls that change nothing, by which a right is proven: the reads that jobs make.
async fn dry_calls(
    account: &AwsAccount,
    needs: &JobNeeds,
    deadline: Instant,
) -> BTreeSet<ProvenRight> {
    let clusters: BTreeSet<&str> =
        needs.profiles.iter().map(|profile| profile.cluster.as_str()).collect();
    let of_clusters = clusters.into_iter().flat_map(|cluster| {
        let tasks = json!({ "cluster": cluster, "tasks": [NO_TASK] });
        let list = json!({ "cluster": cluster, "maxResults": 1 });
        let name = Some(cluster_name(cluster).to_owned());
        [(EcsOperation::DescribeTasks, tasks, name.clone()), (EcsOperation::ListTasks, list, name)]
    });
    let definition = json!({ "taskDefinition": "fargate-runner-check-of-no-definition" });
    let definitions = json!({ "maxResults": 1 });
    let calls = of_clusters.chain([
        (EcsOperation::DescribeTaskDefinition, definition, None),
        (EcsOperation::ListTaskDefinitions, definitions, None),
    ]);
    let proven = join_all(calls.map(|(operation, body, cluster)| async move {
        let answer = asked(operation.right(), deadline, || async {
            match account.ecs_json(operation, &body).await {
                // ECS looks for a thing only after it has looked for the right.
                Err(CallError::Answered { code, .. }) if code == "ClientException" => Ok(()),
                other => other.map(drop),
            }
        });
        answer.await.known().map(|()| (operation.right(), cluster))
    }));
    proven.await.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_proves_a_right_in_its_own_cluster_alone() {
        let proven = BTreeSet::from([
            ("ecs:ListTasks", Some("ci".to_owned())),
            ("ecs:DescribeTaskDefinition", None),
        ]);
        let answered = AnsweredCalls { proven, decided: BTreeMap::new() };
        let of = |action: &str, cluster: &str| {
            let arn = format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{cluster}");
            NeededRight::new(action, "*").with("ecs:cluster", &arn)
        };
        assert!(answered.proves(&of("ecs:ListTasks", "ci")));
        assert!(!answered.proves(&of("ecs:ListTasks", "gpu")));
        assert!(!answered.proves(&of("ecs:StopTask", "ci")));
        assert!(answered.proves(&NeededRight::new("ecs:DescribeTaskDefinition", "*")));
    }

    #[test]
    fn the_role_of_a_session_is_known_and_a_user_has_none() {
        let session = "arn:aws:sts::123456789012:assumed-role/ci-manager/i-0a1";
        assert_eq!(session_role(session), Some("ci-manager".to_owned()));
        assert_eq!(session_role("arn:aws:iam::123456789012:user/ci"), None);
    }
}
