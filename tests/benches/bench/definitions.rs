//! Rendering, checking and hashing task definitions, as each `prepare` of a profile with an image does.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use fargate_config::{UnknownKeyPolicy, parse};
use fargate_playground::test_host::TestHost;
use fargate_task_definition::RenderedDefinition;

use crate::figure::{BenchFigure, BenchReport, FigureGoal};

/// Definitions, each with another image.
const DEFINITIONS: usize = 1000;

/// A profile with everything that the template has.
const PROFILE: &str = r#"
config_version = 1
[defaults]
cluster = "ci"
subnets = ["subnet-1"]
security_groups = ["sg-1"]
image = "team/ci:1"
registry_secret = "ci/registry"
execution_role = "ci-execution"
task_role = "ci-task"
ephemeral_storage_gib = 50
log_group = "/ci/tasks"
volumes = ["cache"]
[volume.cache]
file_system = "fs-0a1b2c3d"
access_point = "fsap-0a1b2c3d"
path = "/cache"
"#;

/// Measures it, and adds the figure to `report`.
pub fn measure(_: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let loaded = parse(PROFILE, Path::new("bench.toml"), UnknownKeyPolicy::Refuse)?;
    let profile = loaded.config.profile(None)?;
    let mut contents = BTreeSet::new();
    let begun = Instant::now();
    for number in 0..DEFINITIONS {
        let image = format!("team/ci:{number}");
        let rendered = RenderedDefinition::with_image(&profile, &image, "eu-west-1")?;
        contents.insert(rendered.content().clone());
    }
    let took = begun.elapsed();
    if contents.len() != DEFINITIONS {
        return Err(format!("{} contents of {DEFINITIONS} definitions", contents.len()).into());
    }
    report.add(BenchFigure {
        name: "1000-task-definitions",
        value: took.as_secs_f64(),
        unit: "s",
        goal: FigureGoal::AtMost(0.5),
        note: "template read, filled, checked and hashed, each with another image".to_owned(),
    });
    Ok(())
}
