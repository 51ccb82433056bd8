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

use fargate_tests::{Job, Site, Sshd};

/// A site whose jobs get tasks of `server`; none where such tasks cannot run.
async fn site_with(server: &Sshd) -> Option<Site> {
    if !Sshd::can_run() {
        return None;
    }
    let site = Site::open().await;
    server.serve(&site).await;
    Some(site)
}

/// A site with a job whose `prepare` has passed.
async fn prepared_on(server: &Sshd) -> Option<(Site, Rc<Job>)> {
    let site = site_with(server).await?;
    let job = site.prepared().await;
    Some((site, job))
}
