//! What an administrator does with the policy of `--for infrastructure`.

use std::rc::Rc;

use crate::limited_host::{LimitedHost, prove};
use crate::{INFRASTRUCTURE_GRANTS, PolicyFlow, grants};

/// A file system that lacks a mount target, so that `efs apply` makes everything there is to make.
async fn without_mount_target() -> LimitedHost {
    let host = LimitedHost::of_administrator().await;
    let administrator = fargate_tests::efs_client(host.site.cloud());
    host.site.cloud().set_user_policy(None).expect("no policy");
    let targets =
        administrator.describe_mount_targets().file_system_id(crate::limited_host::FILE_SYSTEM);
    let targets = targets.send().await.expect("an answer");
    let target = targets.mount_targets().first().expect("a mount target").mount_target_id();
    administrator
        .delete_mount_target()
        .mount_target_id(target)
        .send()
        .await
        .expect("it is deleted");
    host
}

async fn efs_apply(host: Rc<LimitedHost>) -> Result<(), String> {
    host.expect(&host.command(&["efs", "apply", "--yes"], "").await, 0)
}

#[tokio::test]
async fn efs_apply_needs_what_the_policy_gives_it() {
    let missing = grants(INFRASTRUCTURE_GRANTS, PolicyFlow::EfsApply);
    prove(without_mount_target, missing, efs_apply).await;
}

/// Writes a secret that is not there, and another value into it.
async fn registry_secret(host: Rc<LimitedHost>) -> Result<(), String> {
    host.site.set("profile.private.registry_secret", "ci/registry");
    let words = ["--profile", "private", "registry-secret", "set", "ci", "--password-stdin"];
    for password in ["open-sesame-0815", "open-sesame-0816"] {
        host.expect(&host.command(&words, password).await, 0)?;
    }
    Ok(())
}

#[tokio::test]
async fn registry_secret_set_needs_what_the_policy_gives_it() {
    let open = || async {
        let host = LimitedHost::of_administrator().await;
        host.site.cloud().set_user_policy(None).expect("no policy");
        let secrets = fargate_tests::secrets_client(host.site.cloud());
        let deletion = secrets.delete_secret().secret_id("ci/registry");
        deletion.force_delete_without_recovery(true).send().await.expect("it is deleted");
        host
    };
    prove(open, grants(INFRASTRUCTURE_GRANTS, PolicyFlow::RegistrySecret), registry_secret).await;
}
