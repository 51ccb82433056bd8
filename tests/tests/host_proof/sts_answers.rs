//! STS cannot be reached, is busy, or answers something that proves nothing.

use fargate_local_cloud::CloudFault;
use fargate_tests::SYSTEM_FAILURE;

use crate::{events, gets_no_script, job, site, unproven};

/// An answer of STS that says that this one signed.
fn signed_by(account: &str, arn: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AROA:x</UserId>\
         <Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

#[tokio::test]
async fn an_sts_that_nobody_can_reach_ends_the_try_and_names_the_other_modes() {
    let site = site().await;
    site.set("defaults.timeouts.aws_call", "1s");
    site.set("defaults.timeouts.aws_attempt", "500ms");
    site.set("defaults.timeouts.aws_connect", "500ms");
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"));
    let ended = job.prepare().await;
    insta::assert_snapshot!(unproven(&site, ended), @r#"
    error: STS at http://PLACE could not be asked who proved the task's host key
      At PLACE: the host key SHA256:FINGERPRINT is not proven: asking STS at http://PLACE who signed the proof: io error: client error (Connect): tcp connect error: Connection refused (os error 111).
      Nothing was sent: 0 bytes of the script.
      Fix: let this host reach STS by HTTPS, or choose another mode: `host_key = "seed"`, or `"first_use"` for images with an sshd of their own
        curl -sv -m 5 http://PLACE
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: host-proof-unchecked
    "#);
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    assert!(events(&site, "security.host_unproven").is_empty());
    // It may pass, so the next try starts a task.
    job.cleanup().await.passed();
    job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(site.tasks_of(&job).len(), 2);
    site.close().await;
}

#[tokio::test]
async fn an_sts_without_tls_on_another_machine_is_not_believed() {
    let site = site().await;
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_STS", "http://192.0.2.1"));
    let block = unproven(&site, job.prepare().await);
    assert!(block.contains("is not https"), "{block}");
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    site.close().await;
}

#[tokio::test]
async fn an_sts_that_hangs_ends_the_try() {
    let site = site().await;
    site.set("defaults.timeouts.aws_call", "1s");
    site.set("defaults.timeouts.aws_attempt", "400ms");
    site.set("defaults.timeouts.aws_connect", "400ms");
    site.cloud().fail_until_cleared("GetCallerIdentity", CloudFault::Hang);
    let job = job(&site);
    let block = unproven(&site, job.prepare().await);
    // The limit of the connection and that of the whole attempt are the same here; either may be first.
    let is_told = ["timed out", "did not answer within"].iter().any(|words| block.contains(words));
    assert!(is_told, "{block}");
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    site.close().await;
}

#[tokio::test]
async fn an_sts_that_is_busy_for_a_moment_costs_nothing() {
    let site = site().await;
    let busy = CloudFault::Exception {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        message: "busy".to_owned(),
    };
    site.cloud().fail("GetCallerIdentity", busy);
    site.cloud().fail("GetCallerIdentity", CloudFault::LostAnswer);
    let job = job(&site);
    job.prepare().await.passed();
    assert_eq!(site.calls("GetCallerIdentity"), 3);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_session_of_another_name_is_not_our_task() {
    let site = site().await;
    let arn = "arn:aws:sts::123456789012:assumed-role/ci-task/ecs-session-7";
    let body = signed_by("123456789012", arn);
    site.cloud().fail("GetCallerIdentity", CloudFault::Answer { status: 200, body });
    let job = job(&site);
    insta::assert_snapshot!(unproven(&site, job.prepare().await), @r#"
    error: another task than ours proved the host key
      At PLACE: the host key SHA256:FINGERPRINT is not proven: arn:aws:sts::123456789012:assumed-role/ci-task/ecs-session-7 signed the proof; the session of our task has its id as its name, TASK.
      Nothing was sent: 0 bytes of the script.
      Fix: treat this as a security incident; if the session's name is of another form than the id of a task, choose another mode: `host_key = "seed"`, or `"first_use"` for images with an sshd of their own
        aws ecs describe-tasks --cluster ci --tasks TASK
      Who can fix it: whoever did it. Your script did not start.
      Cause: host-proof-task
    "#);
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    site.close().await;
}

#[tokio::test]
async fn an_answer_that_is_not_exactly_as_documented_proves_nothing() {
    let site = site().await;
    site.set("defaults.timeouts.aws_call", "300ms");
    site.set("defaults.timeouts.aws_attempt", "300ms");
    site.set("defaults.timeouts.aws_connect", "300ms");
    let good = signed_by("123456789012", "arn:aws:sts::123456789012:assumed-role/ci-task/x");
    for (status, body) in [
        (302, good.clone()),
        (204, String::new()),
        (200, format!("<Reflected>{good}</Reflected>")),
        (200, "{\"GetCallerIdentityResponse\":{}}".to_owned()),
        (200, "x".repeat(70_000)),
    ] {
        let fault = CloudFault::Answer { status, body: body.clone() };
        site.cloud().fail_until_cleared("GetCallerIdentity", fault);
        let job = job(&site);
        let block = unproven(&site, job.prepare().await);
        assert!(!block.contains("Reflected"), "{block}");
        gets_no_script(&site, &job, &site.folder().join("owned")).await;
        site.cloud().clear_faults();
    }
    site.close().await;
}
