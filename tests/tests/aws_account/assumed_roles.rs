//! `assume_role_arn`: the host's own keys may only assume the role, and the role's keys do
//! everything else.

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE};

use crate::{block, hurry, plays, reaches_all};

const REGION: &str = "eu-west-1";

fn assumes(site: &CheckedHost, external_id: Option<&str>) -> String {
    let role = site.cloud().add_role(REGION, "ci-manager", Some("tenant-7"));
    site.set("defaults.assume_role_arn", role.clone());
    if let Some(external_id) = external_id {
        site.set("defaults.assume_role_external_id", external_id);
    }
    role
}

#[tokio::test]
async fn every_call_to_ecs_is_made_with_the_roles_temporary_keys() {
    let site = CheckedHost::open().await;
    assumes(&site, Some("tenant-7"));
    let job = site.job_with(reaches_all(&site));
    plays(&job).await;
    let requests = site.cloud().requests();
    let assumed: Vec<_> = requests.iter().filter(|r| r.operation == "AssumeRole").collect();
    // One process for `prepare`, one for `cleanup`; `run` asks nobody.
    assert_eq!(assumed.len(), 2);
    for request in &assumed {
        assert_eq!((request.service, request.access_key_id.as_str()), ("sts", "test"));
        assert_eq!(request.body["RoleSessionName"], "fargate-runner");
        assert_eq!(request.body["ExternalId"], "tenant-7");
    }
    let others: Vec<_> = requests.iter().filter(|r| r.service == "ecs").collect();
    assert!(others.len() >= 3, "{others:?}");
    for request in others {
        assert!(request.access_key_id.starts_with("ASIA"), "{request:?}");
    }
    site.close().await;
}

#[tokio::test]
async fn the_session_has_the_name_that_the_file_gives_it() {
    let site = CheckedHost::open().await;
    assumes(&site, Some("tenant-7"));
    site.set("defaults.assume_role_session_name", "ci@host-1");
    let job = site.job_with(reaches_all(&site));
    job.prepare().await.passed();
    let requests = site.cloud().requests();
    let assumed = requests.iter().find(|r| r.operation == "AssumeRole").expect("a request");
    assert_eq!(assumed.body["RoleSessionName"], "ci@host-1");
    site.close().await;
}

#[tokio::test]
async fn a_wrong_external_id_is_final_and_names_the_role() {
    let site = CheckedHost::open().await;
    assumes(&site, Some("tenant-8"));
    let job = site.job_with(reaches_all(&site));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r#"
    error: this host may not assume arn:aws:iam::123456789012:role/ci-manager
      STS: "AccessDenied: User: arn:aws:iam::123456789012:user/ci is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/ci-manager"
      Fix: allow sts:AssumeRole on the role, and name this host and the external id in the role's trust policy
        aws sts get-caller-identity
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: role-refused
    "#);
    assert_eq!((site.calls("AssumeRole"), site.calls("RunTask")), (1, 0));
    // The next try would meet the same, so it does not even ask.
    job.cleanup().await.passed();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert!(ended.error_line().contains("same cause as the first try"), "{}", ended.out());
    assert_eq!(site.calls("AssumeRole"), 1);
    site.close().await;
}

#[tokio::test]
async fn a_role_that_is_not_there_is_refused_in_the_same_words() {
    let site = CheckedHost::open().await;
    let role = "arn:aws:iam::123456789012:role/nobody";
    site.set("defaults.assume_role_arn", role);
    let job = site.job_with(reaches_all(&site));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), format!("error: this host may not assume {role}"));
    site.close().await;
}

#[tokio::test]
async fn an_sts_that_does_not_answer_is_named_and_never_waited_for_forever() {
    let site = CheckedHost::open().await;
    assumes(&site, Some("tenant-7"));
    hurry(&site);
    site.cloud().fail_until_cleared("AssumeRole", CloudFault::Hang);
    // ECS has another endpoint, so that the message can only mean STS.
    let job = site.job_with(|job| {
        job.set("AWS_ENDPOINT_URL_STS", site.cloud().endpoint());
        job.set("AWS_ENDPOINT_URL_ECS", "http://localhost:9");
    });
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let expected = format!("error: this host cannot reach {}", site.cloud().endpoint());
    assert_eq!(ended.error_line(), expected);
    assert!(
        ended.out().contains("This happened while assuming the role arn:aws:iam::"),
        "{}",
        ended.out()
    );
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    site.close().await;
}

#[tokio::test]
async fn an_sts_that_throttles_is_waited_out() {
    let site = CheckedHost::open().await;
    assumes(&site, Some("tenant-7"));
    let fault = CloudFault::Exception {
        status: 400,
        code: "Throttling".to_owned(),
        message: "Rate exceeded".to_owned(),
    };
    site.cloud().fail("AssumeRole", fault);
    let job = site.job_with(reaches_all(&site));
    plays(&job).await;
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}
