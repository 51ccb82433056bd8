//! `config import-stack`: a configuration file from the outputs of the stack of `infrastructure/`. What the
//! outputs mean is the config crate's business.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use fargate_aws::{AwsAccount, StackDescription, retry};
use fargate_config::{StackOutputs, StackOutputsError, settings_without_file};
use fargate_model::text::{error_chain, escape, shell_word};
use tokio::time::Instant;

use crate::args::{GlobalFlags, ImportStackArgs};
use crate::config_command::{self, ExistingFile};
use crate::streams::{masker, tell, to_stdout, unwritten};

/// Longest file of outputs that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;
/// How long CloudFormation may take to answer, with all tries.
const WITHIN: Duration = Duration::from_secs(60);

/// Writes the file, and tells what is to do next.
///
/// # Errors
///
/// If the outputs cannot be had or do not fit, or the file is there already or cannot be written.
pub fn run(global: &GlobalFlags, args: &ImportStackArgs) -> Result<(), String> {
    let (source, outputs) = match (&args.stack, &args.outputs) {
        (Some(name), _) => (format!("the stack {name}"), of_stack(name, args.region.as_deref())?),
        (None, Some(file)) => (shown(file), of_file(file)?),
        (None, None) => return Err("a stack or `--outputs FILE` is needed".to_owned()),
    };
    let text = outputs.config_text(&source).map_err(|error| unfit(&source, &error))?;
    let path = config_command::path(global);
    let existing = if args.force { ExistingFile::Replace } else { ExistingFile::Keep };
    config_command::write_new(&path, &text, existing, "import-stack ...")?;
    to_stdout(&path.display().to_string()).map_err(unwritten)?;
    if text.contains("\nregistry_secret = ") {
        tell!("Give the image's registry its login: fargate-runner registry-secret set USER");
    }
    tell!("Then: fargate-runner {}config check", config_command::file_flag(&path));
    Ok(())
}

fn unfit(source: &str, error: &StackOutputsError) -> String {
    let hint = match error {
        StackOutputsError::NoJson(_) | StackOutputsError::OtherForm(_) => {
            "`aws cloudformation describe-stacks --stack-name NAME` or `terraform output -json` prints them"
        }
        StackOutputsError::OtherVersion { .. } => {
            "take the program and the template from the same release"
        }
        StackOutputsError::Unfit(_) | StackOutputsError::Value(_) => {
            "the stack must be made by infrastructure/cloudformation/fargate-runner.yaml or \
             infrastructure/terraform of this release"
        }
    };
    format!("the outputs of {}: {}\nhint: {hint}", escape(source), clean_lines(&error.to_string()))
}

/// Each line escaped for itself: the problems of a configuration are lines.
fn clean_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn shown(file: &Path) -> String {
    if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn of_file(file: &Path) -> Result<StackOutputs, String> {
    let name = escape(&shown(file));
    let failed = |error: io::Error| {
        format!(
            "reading {name}: {error}\nhint: name the file with the outputs, or `-` for standard input"
        )
    };
    let mut text = String::new();
    let source: Box<dyn Read> = match is_stdin(file) {
        true => Box::new(io::stdin()),
        false => Box::new(std::fs::File::open(file).map_err(failed)?),
    };
    source.take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LONGEST {
        return Err(format!(
            "reading {name}: it has more than {LONGEST} bytes, so it has no outputs"
        ));
    }
    StackOutputs::read(&text).map_err(|error| unfit(&shown(file), &error))
}

fn of_stack(name: &str, region: Option<&str>) -> Result<StackOutputs, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    let stack = runtime.block_on(described(name, region))?;
    if !stack.is_complete() {
        return Err(format!(
            "the stack {} is {}, so its outputs do not hold\nhint: wait until it is complete: `aws \
             cloudformation wait stack-create-complete --stack-name {}`",
            escape(name),
            escape(&stack.status),
            escape(&shell_word(name))
        ));
    }
    let source = format!("the stack {name}");
    StackOutputs::of(stack.outputs).map_err(|error| unfit(&source, &error))
}

async fn described(name: &str, region: Option<&str>) -> Result<StackDescription, String> {
    let profile = settings_without_file();
    let account = AwsAccount::open(region.map(str::to_owned), &profile, masker()).await;
    let account = account.map_err(|why| {
        let evidence = why.evidence.iter().map(|evidence| escape(&evidence.to_string()));
        let lines: Vec<String> = std::iter::once(why.headline()).chain(evidence).collect();
        format!("{}\nhint: `--region REGION` names the Region of the stack", lines.join("\n  "))
    })?;
    let asked = retry(Instant::now() + WITHIN, || account.stack(name)).await;
    asked.map_err(|error| {
        format!(
            "the outputs of the stack {} in {}: {}\nhint: `aws cloudformation list-stacks` names the stacks; \
             without rights, let somebody print the outputs, and give `--outputs FILE`",
            escape(name),
            account.region(),
            escape(&error_chain(&error))
        )
    })
}
