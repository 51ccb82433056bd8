//! RunTask answers with `failures[]`: HTTP 200, and no task.

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, SYSTEM_FAILURE};

use crate::{block, the_next_tries_are_short};

const NO_CAPACITY: &str = "Capacity is unavailable at this time. Please try again later or in a \
                           different availability zone";

fn failure(reason: &str) -> CloudFault {
    CloudFault::Failure { reason: reason.to_owned(), detail: None }
}

/// The subnets that were asked for, in order, and the token of each.
fn asked(site: &CheckedHost) -> Vec<(String, String)> {
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "RunTask");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    asked
        .map(|request| {
            let vpc = &request.body["networkConfiguration"]["awsvpcConfiguration"];
            (text(&vpc["subnets"][0]), text(&request.body["clientToken"]))
        })
        .collect()
}

#[tokio::test]
async fn without_capacity_the_next_subnet_is_tried_with_another_token() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", failure(NO_CAPACITY));
    let job = site.job();
    job.prepare().await.passed();
    let asked = asked(&site);
    let subnets: Vec<_> = asked.iter().map(|(subnet, _)| subnet.as_str()).collect();
    assert_eq!(subnets, ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"]);
    assert_ne!(asked[0].1, asked[1].1);
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn without_capacity_anywhere_it_waits_and_goes_round() {
    let site = CheckedHost::open().await;
    for _ in 0..3 {
        site.cloud().fail("RunTask", failure(NO_CAPACITY));
    }
    site.cloud().fail("RunTask", failure("RESOURCE:ENI"));
    let job = site.job();
    job.prepare().await.passed();
    let subnets: Vec<_> = asked(&site).into_iter().map(|(subnet, _)| subnet).collect();
    let (a, b) = ("subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a");
    assert_eq!(subnets, [a, b, a, b, a]);
    site.close().await;
}

#[tokio::test]
async fn a_quota_that_is_used_up_waits_for_other_tasks_to_end() {
    let site = CheckedHost::open().await;
    let reason = "You've reached the limit on the number of vCPUs you can run concurrently";
    site.cloud().fail("RunTask", failure(reason));
    site.cloud().fail("RunTask", failure(reason));
    let job = site.job();
    job.prepare().await.passed();
    // The quota is the same in every zone.
    let subnets: Vec<_> = asked(&site).into_iter().map(|(subnet, _)| subnet).collect();
    assert_eq!(subnets, ["subnet-0a1b2c3d4e5f60718"; 3]);
    site.close().await;
}

#[tokio::test]
async fn capacity_that_never_comes_is_told_with_its_zones_and_is_not_remembered() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.prepare", "1s");
    site.set("defaults.timeouts.task_start", "1s");
    site.cloud().fail_until_cleared("RunTask", failure(NO_CAPACITY));
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let block = block(&ended);
    let counted = regex::Regex::new(r"tried \d+ times").expect("a pattern of ours");
    insta::assert_snapshot!(counted.replace(&block, "tried N times"), @r#"
    error: no Fargate capacity in subnet-0a1b2c3d4e5f60718, subnet-0b2c3d4e5f607182a
      ECS: "Capacity is unavailable at this time. Please try again later or in a different availability zone"
      The driver tried N times in T, then gave up.
      Fix: add a subnet in another zone, or name a second choice in `capacity_fallback`
        aws ec2 describe-subnets --subnet-ids subnet-0a1b2c3d4e5f60718 subnet-0b2c3d4e5f607182a --query "Subnets[].[SubnetId,AvailabilityZone]" --output text
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: no-capacity
    "#);
    site.cloud().clear_faults();
    site.set("defaults.timeouts.prepare", "1m");
    job.cleanup().await.passed();
    job.prepare().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_failure_that_no_wait_can_mend_is_final() {
    for (reason, headline) in [
        ("TaskDefinition is inactive", "task definition ci-job is missing or inactive"),
        ("Something that nobody has seen", "ECS refused to start the task"),
    ] {
        let site = CheckedHost::open().await;
        site.cloud().fail_until_cleared("RunTask", failure(reason));
        let job = site.job();
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), format!("error: {headline}"));
        assert!(ended.out().contains(reason), "{}", ended.out());
        the_next_tries_are_short(&site, &job, headline).await;
        site.close().await;
    }
}
