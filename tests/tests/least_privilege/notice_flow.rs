//! `serve` tells a topic of SNS what somebody must act on.

use std::rc::Rc;

use fargate_tests::{SYSTEM_FAILURE, until};
use nix::sys::signal::Signal;

use crate::limited_host::{LimitedHost, prove};
use crate::{MANAGER_GRANTS, PolicyFlow, grants};

async fn told_topic(host: Rc<LimitedHost>) -> Result<(), String> {
    let job = host.job("gone");
    host.expect(&job.prepare().await, SYSTEM_FAILURE)?;
    host.expect(&job.cleanup().await, 0)?;
    let serve = host.start(&["serve", "--listen", "127.0.0.1:0"]);
    let answered = || {
        let requests = host.site.cloud().requests().into_iter();
        requests.filter(|one| one.operation == "Publish").find_map(|one| one.status)
    };
    until("SNS has answered", || answered().is_some()).await;
    let status = answered().expect("just seen");
    until("the answer is in the log or needs none", || {
        status == 200 || host.site.log().contains("sns:Publish")
    })
    .await;
    serve.signal(Signal::SIGTERM);
    let ended = serve.ended().await;
    match status {
        200 => Ok(()),
        _ => Err(host.told(&[&ended])),
    }
}

#[tokio::test]
async fn a_message_to_a_topic_needs_what_the_policy_gives_it() {
    prove(LimitedHost::of_manager, grants(MANAGER_GRANTS, PolicyFlow::Notice), told_topic).await;
}
