//! Profiles with an image: the definition is registered, the registry asked, the folder found, and what nobody
//! needs any more is pruned.

use std::rc::Rc;

use fargate_tests::image_registry::ImageRegistry;

use crate::limited_host::{LimitedHost, prove};
use crate::{MANAGER_GRANTS, PolicyFlow, grants};

async fn one_job(host: &LimitedHost, profile: &str) -> Result<(), String> {
    let job = host.job(profile);
    host.expect(&job.prepare().await, 0)?;
    host.expect(&job.run("true").await, 0)?;
    host.expect(&job.cleanup().await, 0)
}

async fn own_image(host: Rc<LimitedHost>) -> Result<(), String> {
    one_job(&host, "own").await
}

#[tokio::test]
async fn a_definition_that_is_made_here_needs_what_the_policy_gives_it() {
    prove(LimitedHost::of_manager, grants(MANAGER_GRANTS, PolicyFlow::OwnImage), own_image).await;
}

/// Two revisions of which one is nobody's. Only a whole policy registers them, so they are there before.
async fn with_two_revisions() -> LimitedHost {
    let host = LimitedHost::of_manager().await;
    for image in ["team/ci:0", "team/ci:1"] {
        host.site.set("profile.own.image", image);
        let words = ["--profile", "own", "task-definition", "register"];
        host.command(&words, "").await.with_code(0);
    }
    host
}

async fn prune(host: Rc<LimitedHost>) -> Result<(), String> {
    let words = ["--profile", "own", "task-definition", "prune", "--unused-for", "0s"];
    let said = host.command(&words, "").await;
    host.expect(&said, 0)?;
    match said.err().contains("1 revision removed") || said.err().contains("1 revisions removed") {
        true => Ok(()),
        false => Err(host.told(&[&said])),
    }
}

#[tokio::test]
async fn pruning_needs_what_the_policy_gives_it() {
    prove(with_two_revisions, grants(MANAGER_GRANTS, PolicyFlow::Prune), prune).await;
}

async fn private_image(host: Rc<LimitedHost>) -> Result<(), String> {
    one_job(&host, "private").await
}

#[tokio::test]
async fn an_image_of_a_private_registry_needs_what_the_policy_gives_it() {
    let Some(registry) = ImageRegistry::start().await else { return };
    registry.push_index("team/ci", "1", &["amd64"]);
    let image = format!("{}/team/ci:1", registry.host());
    let open = || async {
        let host = LimitedHost::of_manager().await;
        host.site.set("profile.private.image", image.as_str());
        host
    };
    prove(open, grants(MANAGER_GRANTS, PolicyFlow::PrivateImage), private_image).await;
}

/// The access point of the volume, made by an administrator before.
async fn with_folders() -> LimitedHost {
    let host = LimitedHost::of_manager().await;
    host.site.cloud().set_user_policy(None).expect("no policy");
    host.command(&["efs", "apply", "--yes"], "").await.with_code(0);
    host
}

/// A job with a volume. On processes a volume of another user may not be mounted; the task is then refused
/// after all the calls of the manager, so only `prepare` until RunTask counts.
async fn shared_folder(host: Rc<LimitedHost>) -> Result<(), String> {
    let job = host.job("shared");
    let prepared = job.prepare().await;
    match host.site.calls("RunTask") {
        1.. => Ok(()),
        0 => Err(host.told(&[&prepared])),
    }
}

#[tokio::test]
async fn a_volume_needs_what_the_policy_gives_it() {
    let missing = grants(MANAGER_GRANTS, PolicyFlow::SharedFolder);
    prove(with_folders, missing, shared_folder).await;
}
