//! Jobs in tasks whose SSH server others wrote, as in images for GitLab's own Fargate driver.

mod ends;
mod hosts;
mod imported;
mod interrupts;
mod jobs;
mod odd_peers;
mod refusals;
mod scripts;
mod servers;
mod settings;
mod trap;

use std::rc::Rc;

use fargate_tests::{SshdSetup, TestHost, TestJob};

/// A site whose jobs get tasks of `server`; none where such tasks cannot run.
async fn site_with(server: &SshdSetup) -> Option<TestHost> {
    if !SshdSetup::can_run() {
        return None;
    }
    let site = TestHost::open().await;
    server.serve(&site).await;
    Some(site)
}

/// A site with a job whose `prepare` has passed.
async fn prepared_on(server: &SshdSetup) -> Option<(TestHost, Rc<TestJob>)> {
    let site = site_with(server).await?;
    let job = site.prepared().await;
    Some((site, job))
}
