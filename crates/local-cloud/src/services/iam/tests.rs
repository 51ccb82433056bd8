use serde_json::json;

use super::principal_store::PrincipalStore;
use crate::access::access_question::AccessQuestion;
use crate::access::identity_policy::AccessDecision;
use crate::services::context::RequestContext;
use crate::task_timing::TaskTiming;
use crate::test_cloud;
use crate::wire::credentials::CallerPrincipal;

fn session(role: &str) -> CallerPrincipal {
    CallerPrincipal::Session { role: role.to_owned(), session: "task".to_owned() }
}

fn allow(action: &str) -> String {
    json!({ "Version": "2012-10-17",
            "Statement": { "Effect": "Allow", "Action": action, "Resource": "*" } })
    .to_string()
}

#[tokio::test]
async fn whoever_has_a_policy_may_do_what_all_of_theirs_allow_and_nothing_else() {
    let store = PrincipalStore::default();
    let question = AccessQuestion::new("ecs:RunTask", "*");
    assert_eq!(store.decide(&session("manager"), &question), None, "no policy, no limits");
    store.put_role_policy("manager", "own", &allow("ecs:StopTask")).unwrap();
    let decided = store.decide(&session("manager"), &question);
    assert_eq!(decided, Some(AccessDecision::NotAllowed));
    let arn = "arn:aws:iam::123456789012:policy/run";
    store.attach_role_policy("manager", arn, &allow("ecs:RunTask")).unwrap();
    assert_eq!(store.decide(&session("manager"), &question), Some(AccessDecision::Allowed));
    assert_eq!(store.decide(&CallerPrincipal::User, &question), None);
    store.set_user_policy(Some(&allow("ecs:StopTask"))).unwrap();
    let decided = store.decide(&CallerPrincipal::User, &question);
    assert_eq!(decided, Some(AccessDecision::NotAllowed));
    assert!(store.set_user_policy(Some("{}")).is_err());
}

#[tokio::test]
async fn a_refusal_is_in_the_words_of_aws() {
    let cloud = test_cloud::for_tests(TaskTiming::Instant, false);
    let deny = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "ecs:*", "Resource": "*" },
        { "Effect": "Deny", "Action": "ecs:StopTask", "Resource": "*" },
    ] });
    let store = cloud.states.of::<PrincipalStore>();
    store.put_role_policy("manager", "own", &deny.to_string()).unwrap();
    let manager = session("manager");
    let context =
        RequestContext { principal: &manager, ..RequestContext::of_owner(&cloud, "eu-west-1") };
    let said = |right: &str| context.allowed(right, Some("*")).map_err(|refusal| refusal.message);
    assert_eq!(said("ecs:RunTask"), Ok(()));
    let all = [said("ecs:StopTask"), said("iam:PassRole")];
    insta::assert_snapshot!(
        all.map(|one| one.unwrap_err()).join("\n"),
        @r"
        User: arn:aws:sts::123456789012:assumed-role/manager/task is not authorized to perform: ecs:StopTask on resource: * with an explicit deny in an identity-based policy
        User: arn:aws:sts::123456789012:assumed-role/manager/task is not authorized to perform: iam:PassRole on resource: * because no identity-based policy allows the iam:PassRole action
        "
    );
}
