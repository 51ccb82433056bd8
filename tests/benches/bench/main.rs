//! Speed and memory of the product: prints a table, and writes `bench.json` into the target folder.
//!
//! The product's own release binaries against the local cloud, beside OpenSSH in the same run, so
//! that a ratio says something on any machine. A goal that is missed stands in the table and in the
//! file as `holds: false` and is no failure; what could not be measured is one.

mod bench_job;
mod bench_server;
mod bulk;
mod check;
mod containers;
mod crowd;
mod daemon;
mod definitions;
mod docker;
mod figure;
mod history;
mod idle;
mod image_sample;
mod images;
mod job;
mod job_sample;
mod measured;
mod openssh;
mod prepare;
mod processes;
mod reap;
mod resume;
mod retries;
mod run;
mod serve;
mod stock;
mod stream;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench_job::open_host;
use fargate_playground::programs;
use fargate_playground::test_host::TestHost;
use figure::BenchReport;

type BenchFunction = fn(&TestHost, &mut BenchReport) -> Result<(), Box<dyn Error>>;

/// Everything, in an order in which no section meets the tasks of another.
const SECTIONS: [(&str, BenchFunction); 19] = [
    ("run", run::measure),
    ("stream", stream::measure),
    ("bulk", bulk::measure),
    ("resume", resume::measure),
    ("stock", stock::measure),
    ("prepare", prepare::measure),
    ("job", job::measure),
    ("retries", retries::measure),
    ("reap", reap::measure),
    ("definitions", definitions::measure),
    ("check", check::measure),
    ("history", history::measure),
    ("serve", serve::measure),
    ("daemon", daemon::measure),
    ("idle", idle::measure),
    ("crowd", crowd::measure),
    ("containers", |_, report| containers::measure(report)),
    ("docker", docker::measure),
    ("images", images::measure),
];

fn main() -> ExitCode {
    match chosen().and_then(|sections| measure(&sections)) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The sections that the arguments name, or all of them.
fn chosen() -> Result<Vec<BenchFunction>, Box<dyn Error>> {
    let names = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let find = |name: String| {
        let found = SECTIONS.iter().find(|(known, _)| *known == name);
        let known = SECTIONS.map(|(known, _)| known).join(", ");
        found
            .map(|(_, measure)| *measure)
            .ok_or_else(|| format!("no section {name:?}; there are {known}").into())
    };
    let named = names.map(find).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    Ok(if named.is_empty() { SECTIONS.map(|(_, measure)| measure).to_vec() } else { named })
}

fn measure(sections: &[BenchFunction]) -> Result<BenchReport, Box<dyn Error>> {
    let folder = tempfile::Builder::new().prefix("fargate-bench-").tempdir()?;
    let host = open_host(folder.path())?;
    eprintln!("measuring {} and {}", host.driver().display(), programs::agent()?.display());
    let mut report = BenchReport::default();
    let measured = sections.iter().try_for_each(|section| section(&host, &mut report));
    host.close_thread();
    measured?;
    let file = target().join("bench.json");
    std::fs::write(&file, report.to_json())
        .map_err(|error| format!("writing {}: {error}", file.display()))?;
    Ok(report)
}

/// The target folder: this program lies in `deps` of a profile's folder in it.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).unwrap_or(Path::new("target")).to_owned()
}
