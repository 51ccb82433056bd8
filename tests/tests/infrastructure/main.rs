//! What `infrastructure/` has: the template of CloudFormation, the module of Terraform, their rights, the trial in an
//! account, the configuration that is made of their outputs, and what `check` says of it all.
//!
//! No test reaches AWS, and nobody here can run Terraform: the module is read and compared.

mod acceptance;
mod checked_stack;
mod import_stack;
mod manager_host;
mod printed_policies;
mod settled_docs;
mod stack_files;
mod stack_variants;
mod template_and_module;

use std::path::PathBuf;
use std::process::Command;

use fargate_tests::skip;

/// The root of the project.
fn root() -> PathBuf {
    let member = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    member.parent().expect("the member has a parent").to_owned()
}

/// The folder with the judges that others wrote, installed where it is missing; `None` after saying why it cannot
/// be had here. In CI nothing is skipped.
fn judges() -> Option<PathBuf> {
    let install = root().join("tests/infrastructure/install.sh");
    let why = match Command::new(&install).output() {
        Ok(output) if output.status.success() => {
            let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            return Some(
                target.unwrap_or_else(|| root().join("target")).join("infrastructure/bin"),
            );
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    skip(&format!("tests/infrastructure/install.sh: {why}"));
    None
}
