//! Jobs in tasks with a stock SSH server, as in images for GitLab's own Fargate driver.

mod cancel_and_kill;
mod first_use_host_key;
mod imported_installation;
mod key_trap;
mod odd_peers;
mod plain_servers;
mod script_contents;
mod server_settings;
mod task_ends;
mod whole_jobs;
mod wrong_setup;

use std::rc::Rc;

use fargate_tests::{CheckedHost, SshdSetup, TestJob};

/// A site whose jobs get tasks of `server`; none where such tasks cannot run.
async fn site_with(server: &SshdSetup) -> Option<CheckedHost> {
    if !SshdSetup::can_run() {
        return None;
    }
    let site = CheckedHost::open().await;
    server.serve(&site).await;
    Some(site)
}

/// A site with a job whose `prepare` has passed.
async fn prepared_on(server: &SshdSetup) -> Option<(CheckedHost, Rc<TestJob>)> {
    let site = site_with(server).await?;
    let job = site.prepared().await;
    Some((site, job))
}
