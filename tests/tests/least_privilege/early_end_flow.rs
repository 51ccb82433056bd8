//! A container that ends before its agent answers: the job's log shows its last lines.

use std::rc::Rc;

use fargate_tests::SYSTEM_FAILURE;

use crate::limited_host::{LimitedHost, prove};
use crate::{MANAGER_GRANTS, PolicyFlow, grants};

async fn early_end(host: Rc<LimitedHost>) -> Result<(), String> {
    let job = host.job("early");
    let prepared = job.prepare().await;
    host.expect(&prepared, SYSTEM_FAILURE)?;
    match prepared.out().contains("\n    canary\n") {
        true => Ok(()),
        false => Err(host.told(&[&prepared])),
    }
}

#[tokio::test]
async fn the_last_lines_of_a_container_need_what_the_policy_gives_them() {
    prove(LimitedHost::of_manager, grants(MANAGER_GRANTS, PolicyFlow::EarlyEnd), early_end).await;
}
