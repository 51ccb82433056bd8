//! Fault rules and the cloud's clock meet EFS as they meet every service.

use std::time::Duration;

use aws_sdk_efs::error::ProvideErrorMetadata;
use aws_sdk_efs::types::LifeCycleState;
use fargate_local_cloud::TaskTiming;
use fargate_tests::{CheckedHost, efs_client};

use crate::{FILE_SYSTEM, SUBNETS, TaskRunner};

#[tokio::test]
async fn a_rule_refuses_a_call_of_efs_with_the_status_and_the_name_that_its_clients_read() {
    let site = TaskRunner::Processes.host().await;
    let efs = efs_client(site.cloud());
    let rules = "DescribeMountTargets call 1: error 400 BadRequest \"not today\"\n\
                 DescribeMountTargets calls 2-9: throttle\n";
    site.cloud().set_faults(rules.parse().expect("rules"));
    let ask = || efs.describe_mount_targets().file_system_id(FILE_SYSTEM).send();
    let refused = ask().await.expect_err("refused");
    assert_eq!((refused.code(), refused.message()), (Some("BadRequest"), Some("not today")));
    let refused = ask().await.expect_err("throttled, however often the SDK tries");
    assert_eq!(refused.code(), Some("ThrottlingException"));
    let status = refused.raw_response().map(|answer| answer.status().as_u16());
    assert_eq!(status, Some(429));
    site.cloud().clear_faults();
    assert_eq!(ask().await.expect("an answer").mount_targets().len(), 2);
    site.close().await;
}

#[tokio::test]
async fn a_mount_target_is_creating_until_the_cloud_clock_says_otherwise() {
    let site =
        CheckedHost::open_with(|options| options.pace = TaskTiming::Measured { factor: 1.0 }).await;
    let efs = efs_client(site.cloud());
    let made = efs.create_file_system().creation_token("one").send().await.expect("made");
    site.cloud().advance(Duration::from_secs(60));
    let id = made.file_system_id();
    let target = efs.create_mount_target().file_system_id(id).subnet_id(SUBNETS[0]).send();
    let target = target.await.expect("the file system is available");
    assert_eq!(*target.life_cycle_state(), LifeCycleState::Creating);
    let state = async || {
        let shown = efs.describe_mount_targets().file_system_id(id).send().await.expect("shown");
        shown.mount_targets()[0].life_cycle_state().clone()
    };
    assert_eq!(state().await, LifeCycleState::Creating);
    site.cloud().advance(Duration::from_secs(120));
    assert_eq!(state().await, LifeCycleState::Available);
    site.close().await;
}
