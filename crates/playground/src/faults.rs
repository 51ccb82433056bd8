//! `fargate-local faults`: explains the rules for what goes wrong, and checks a file of them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fargate_local_cloud::{FAULT_REFERENCE, FaultRules, FaultRulesError};

/// How many bytes of a file are read: more than rules may have, so that a file that is too long is refused.
const READ: u64 = 2 * 1024 * 1024;

/// Explain the rules for what goes wrong in the local cloud, or check a file of them.
#[derive(Clone, Debug, clap::Args)]
pub struct FaultsArgs {
    /// Rules to check; each is printed as it was understood. Without it, the explanation.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultFileError {
    /// The file is not there, or may not be read.
    #[error("reading the fault rules {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} holds no usable fault rules; `fargate-local faults` explains them", path.display())]
    Rules {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: FaultRulesError,
    },
    /// Standard output cannot be written.
    #[error("writing to standard output")]
    Output(#[source] io::Error),
}

/// Prints the explanation, or the rules of a file.
///
/// # Errors
///
/// [`FaultFileError`], if the file cannot be used or standard output cannot be written.
pub fn run(args: FaultsArgs) -> Result<(), FaultFileError> {
    let text = match args.file {
        None => FAULT_REFERENCE.to_owned(),
        Some(path) => read(&path)?.to_string(),
    };
    io::stdout().write_all(text.as_bytes()).map_err(FaultFileError::Output)
}

/// Reads the rules of a file.
///
/// # Errors
///
/// [`FaultFileError::Read`] if the file cannot be read, and [`FaultFileError::Rules`] if it holds no rules.
pub fn read(path: &Path) -> Result<FaultRules, FaultFileError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(READ).read_to_end(&mut bytes))
        .map_err(|source| FaultFileError::Read { path: path.to_owned(), source })?;
    FaultRules::from_bytes(&bytes)
        .map_err(|source| FaultFileError::Rules { path: path.to_owned(), source })
}
