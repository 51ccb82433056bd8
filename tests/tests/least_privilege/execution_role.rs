//! The policy of the execution role: ECS reads the secrets of a task with it.

use fargate_tests::SYSTEM_FAILURE;

use crate::limited_host::{LimitedHost, PolicyGrant, printed, secrets};
use crate::{EXECUTION_GRANTS, PolicyFlow, grants};

/// A job that gets a secret and a parameter; the result of `prepare` with this policy of the role.
async fn prepared_with(missing: Option<PolicyGrant>) -> String {
    let host = LimitedHost::of_manager().await;
    let cloud = host.site.cloud();
    cloud.set_user_policy(None).expect("no policy");
    let secret = cloud.put_secret("ci/npm", "canary-of-a-secret").expect("a secret");
    cloud.put_parameter("/ci/token", "canary-of-a-parameter").expect("a parameter");
    let items = secrets(&[("NPM_TOKEN", &secret), ("CI_TOKEN", "/ci/token")]);
    host.site.set("profile.own.secrets", items);
    let mut policy = printed(&host.site, &["--for", "execution"]).await;
    if let Some(missing) = missing {
        missing.take_from(&mut policy);
    }
    let put = cloud.put_role_policy("ci-execution", "printed", &policy.to_string());
    put.expect("a policy that can be evaluated");
    let job = host.job("own");
    let prepared = job.prepare().await;
    let told = host.told(&[&prepared]);
    match missing {
        None => {
            assert_eq!(prepared.code, 0, "{told}");
            let said = job.run("test -n \"$NPM_TOKEN\" && test -n \"$CI_TOKEN\"").await;
            assert_eq!(said.code, 0, "{}", said.all());
        }
        Some(_) => assert_eq!(prepared.code, SYSTEM_FAILURE, "{told}"),
    }
    host.close().await;
    told
}

#[tokio::test]
async fn a_task_gets_its_secrets_with_exactly_the_printed_policy_and_not_without_any_part_of_it() {
    prepared_with(None).await;
    for missing in grants(EXECUTION_GRANTS, PolicyFlow::TaskSecrets) {
        let told = prepared_with(Some(missing)).await;
        assert!(told.contains(missing.action), "{missing:?}: {told}");
    }
}
