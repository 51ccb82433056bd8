//! Asks gitlab-runner for its own numbers, again and again, for the page of now.
//!
//! One question at a time, each with a deadline; an answer that does not come leaves the last numbers, with their
//! age and the reason.

use std::sync::Arc;
use std::time::Duration;

use fargate_aws::{WebClient, WebRequest};
use fargate_status_answers::RunnerNumbers;
use tokio::time::sleep;

use crate::StatusService;
use crate::clock::now_ms;
use crate::runner_metrics::read_runner_metrics;

/// How often it is asked. Source: the usual interval of Prometheus.
const ASK_EACH: Duration = Duration::from_secs(15);
/// Longest answer that is read. One of many runners takes some 200 KiB.
const LONGEST: usize = 4 * 1024 * 1024;

/// Asks at `url` until the service ends.
pub(crate) async fn watch_runner(service: Arc<StatusService>, client: WebClient, url: String) {
    let mut until = service.until.clone();
    let request = WebRequest { method: "GET", url, ..WebRequest::default() };
    let asking = async {
        loop {
            let answer = ask(&client, &request).await;
            service.runner_numbers.send_modify(|known| {
                let last = known.take().unwrap_or_default();
                *known = Some(match answer {
                    Ok(numbers) => RunnerNumbers { heard_ms: Some(now_ms()), ..numbers },
                    Err(error) => RunnerNumbers { error: Some(error), ..last },
                });
            });
            sleep(ASK_EACH).await;
        }
    };
    tokio::select! {
        () = asking => {}
        _ = until.wait_for(|is_over| *is_over) => {}
    }
}

async fn ask(client: &WebClient, request: &WebRequest) -> Result<RunnerNumbers, String> {
    let answer = client.send("gitlab-runner", request, LONGEST).await;
    match answer.map_err(|error| error.to_string())? {
        (200, text) => read_runner_metrics(&text)
            .ok_or_else(|| "the answer holds no numbers of gitlab-runner".to_owned()),
        (status, _) => Err(format!("it answered {status}")),
    }
}
