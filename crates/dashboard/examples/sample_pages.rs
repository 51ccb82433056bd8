//! Writes the pages for sample answers into a folder, with what they load beside them, to look at:
//! `cargo run -p fargate-dashboard --features samples --example sample_pages -- FOLDER`.

use std::path::{Path, PathBuf};

use fargate_dashboard::samples::{self, NOW_MS, SampleNames};
use fargate_dashboard::{PageFrame, static_file};

fn main() -> std::io::Result<()> {
    let folder =
        std::env::args().nth(1).map_or_else(|| PathBuf::from("sample-pages"), PathBuf::from);
    let names = SampleNames::default();
    for (name, page) in pages(&names) {
        write(&folder, &format!("{name}.html"), page.as_bytes())?;
    }
    for name in ["dashboard.css", "dashboard.js", "live.js", "theme.js", "favicon.svg"] {
        if let Some(file) = static_file(name) {
            write(&folder, &format!("static/{name}"), file.bytes)?;
        }
    }
    Ok(())
}

fn pages(names: &SampleNames) -> Vec<(&'static str, String)> {
    use fargate_dashboard as pages;
    let frame = |path: &str, query: &str| PageFrame {
        path: path.to_owned(),
        query: query.to_owned(),
        is_signed_in: true,
        is_operator: true,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at_ms: NOW_MS,
        ..PageFrame::default()
    };
    let job = |query| frame("/jobs/gl-4420", query);
    let history = frame("/history", "verdict=failed,system&project=acme/web");
    vec![
        ("now", pages::now_page(&samples::now(names), &frame("/", ""))),
        ("denied", pages::job_page(&samples::denied_job(names), &job(""))),
        ("tries", pages::job_page(&samples::denied_job(names), &job("view=tries"))),
        ("failed", pages::job_page(&samples::failed_job(names), &job(""))),
        ("failed-start", pages::job_page(&samples::failed_job(names), &job("view=start"))),
        ("running", pages::job_page(&samples::running_job(names), &job(""))),
        ("history", pages::history_page(&samples::history(names), &history)),
        (
            "start-time",
            pages::start_time_page(&samples::start_time(names, 1204), &frame("/start-time", "")),
        ),
        ("cost", pages::cost_page(&samples::cost(names), &frame("/cost", ""))),
        ("images", pages::images_page(&samples::images(names), &frame("/images", ""))),
        ("checks", pages::checks_page(&samples::checks(names), &frame("/checks", ""))),
        ("sign-in", pages::sign_in_page(&frame("/sign-in", ""), None)),
    ]
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, bytes)
}
