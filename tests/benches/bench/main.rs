//! Speed and memory of the product: prints a table, and writes `bench.json` into the target folder.
//!
//! The product's own release binaries against the local cloud, beside OpenSSH in the same run, so
//! that a ratio says something on any machine. A goal that is missed stands in the table and in the
//! file as `holds: false` and is no failure; what could not be measured is one.

mod containers;
mod figure;
mod house;
mod job;
mod measured;
mod openssh;
mod prepare;
mod resume;
mod run;
mod stock;
mod stream;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use figure::Report;
use house::House;

fn main() -> ExitCode {
    match measure() {
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

/// Everything, in an order in which no section meets the tasks of another.
fn measure() -> Result<Report, Box<dyn Error>> {
    let folder = tempfile::Builder::new().prefix("fargate-bench-").tempdir()?;
    let house = House::open(folder.path())?;
    eprintln!("measuring {} and {}", house.driver.display(), house.agent.display());
    let mut report = Report::default();
    let measured = run::measure(&house, &mut report)
        .and_then(|()| stream::measure(&house, &mut report))
        .and_then(|()| resume::measure(&house, &mut report))
        .and_then(|()| stock::measure(&house, &mut report))
        .and_then(|()| prepare::measure(&house, &mut report))
        .and_then(|()| job::measure(&house, &mut report))
        .and_then(|()| containers::measure(&mut report));
    house.close();
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
