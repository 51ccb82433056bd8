//! The policy of the task role: a task mounts a volume with it, where the policy of the file system is silent.

use std::rc::Rc;

use fargate_tests::{efs_client, make_access_point};
use serde_json::json;

use crate::limited_host::{FILE_SYSTEM, LimitedHost, PolicyGrant, printed};
use crate::{PolicyFlow, TASK_GRANTS, grants};

/// A job that writes to the volume, with this policy of its role; what everybody was told.
async fn written_with(missing: Option<PolicyGrant>) -> String {
    let host = LimitedHost::of_manager().await;
    let cloud = host.site.cloud();
    cloud.set_user_policy(None).expect("no policy");
    // The policy of the file system lets in a server of somebody else, and so nobody else.
    let server = json!({
        "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::123456789012:role/server" },
        "Action": "elasticfilesystem:ClientMount",
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": [server] }).to_string();
    let put = efs_client(cloud).put_file_system_policy().file_system_id(FILE_SYSTEM).policy(policy);
    put.send().await.expect("a policy that the cloud takes");
    let own = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let point = make_access_point(cloud, FILE_SYSTEM, "/jobs", own).await;
    host.site.set("volume.whole.access_point", point);
    host.site.set("profile.own.volumes", toml::Value::from(vec!["whole"]));
    let mut policy = printed(&host.site, &["--for", "task"]).await;
    if let Some(missing) = missing {
        missing.take_from(&mut policy);
    }
    cloud.put_role_policy("ci-task", "printed", &policy.to_string()).expect("it is evaluated");
    let job = Rc::clone(&host.job("own"));
    let prepared = job.prepare().await;
    let mut told = host.told(&[&prepared]);
    if prepared.code == 0 {
        let ran = job.run("echo canary > /whole/file && cat /whole/file").await;
        told = host.told(&[&prepared, &ran]);
    }
    host.close().await;
    told
}

#[tokio::test]
async fn a_task_writes_to_a_volume_with_exactly_the_printed_policy_and_not_without_any_part_of_it()
{
    let whole = written_with(None).await;
    assert!(whole.contains("canary\n"), "{whole}");
    for missing in grants(TASK_GRANTS, PolicyFlow::TaskVolume) {
        let told = written_with(Some(missing)).await;
        let expected = match missing.action {
            "elasticfilesystem:ClientMount" => "refused the mount",
            _ => "Read-only file system",
        };
        assert!(told.contains(expected) && !told.contains("\ncanary\n"), "{missing:?}: {told}");
    }
}
