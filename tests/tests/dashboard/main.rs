//! The pages of the dashboard in a real browser.
//!
//! Where a test needs answers that it can choose, they are samples, and the pages, style sheet and scripts
//! are those of the product. Other tests open the real `fargate-runner serve` beside real jobs. Tests are
//! named after the items of the list by which the pages are accepted. Pictures are kept under
//! `target/screenshots`.

mod chromium;
mod commands;
mod failed_starts;
mod forms;
mod heat_map_cells;
mod history_rows;
mod hostile_jobs;
mod keyboard;
mod live_updates;
mod looks;
mod real_jobs;
mod sample_server;
mod timelines;

use chromium::ChromiumBrowser;
use fargate_dashboard::samples::SampleNames;
use fargate_tests::have;
use sample_server::SampleServer;

/// A browser and a server with samples, or `None` where there is no Chromium.
async fn browser_and_server() -> Option<(ChromiumBrowser, SampleServer)> {
    if !have("chromium") {
        return None;
    }
    Some((ChromiumBrowser::start().await, SampleServer::start(SampleNames::default()).await))
}

/// The pages, each with a name for its picture.
const PAGES: [(&str, &str); 12] = [
    ("now", "/"),
    ("job-image-denied", "/jobs/gl-4420"),
    ("job-tries", "/jobs/gl-4420?view=tries"),
    ("job-script-failed", "/jobs/gl-4425"),
    ("job-start", "/jobs/gl-4425?view=start"),
    ("history", "/history?verdict=failed,system&project=acme/web"),
    ("start-time", "/start-time"),
    ("cost", "/cost"),
    ("images", "/images"),
    ("checks", "/checks"),
    ("sign-in", "/sign-in"),
    ("not-found", "/nowhere"),
];
