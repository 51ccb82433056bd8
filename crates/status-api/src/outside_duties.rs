//! What the service does with the world outside beside answering: it tells people what they must act on, and asks
//! gitlab-runner for its numbers.

use std::path::PathBuf;
use std::sync::Arc;

use fargate_aws::WebClient;
use fargate_notifier::{NoticeRules, NoticeTarget};
use fargate_status_answers::RunnerNumbers;

use crate::StatusService;
use crate::notice_watch::watch_notices;
use crate::runner_watch::watch_runner;

/// What it does.
#[derive(Debug, Default)]
pub struct OutsideDuties {
    /// What people are told.
    pub rules: NoticeRules,
    /// By what they are told.
    pub targets: Vec<NoticeTarget>,
    /// The state folder, which keeps what was told. Without one, and until it is there, that is kept in memory.
    pub state_dir: Option<PathBuf>,
    /// The address of gitlab-runner's numbers, and who asks there or why nobody can.
    pub runner: Option<(String, Result<WebClient, String>)>,
}

/// Does it until the service ends.
pub async fn run_duties(service: Arc<StatusService>, duties: OutsideDuties) {
    let OutsideDuties { rules, targets, state_dir, runner } = duties;
    let telling = watch_notices(Arc::clone(&service), rules, (targets, state_dir));
    let asking = async {
        match runner {
            None => {}
            Some((url, Ok(client))) => watch_runner(service, client, url).await,
            Some((_, Err(error))) => {
                let numbers = RunnerNumbers { error: Some(error), ..RunnerNumbers::default() };
                service.runner_numbers.send_replace(Some(numbers));
            }
        }
    };
    tokio::join!(telling, asking);
}
