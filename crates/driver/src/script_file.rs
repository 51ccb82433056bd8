//! The script that a task shall run, as a file of this host: read whole, and never longer than an agent
//! takes.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use fargate_protocol::MAX_SCRIPT;

/// Reads a script that gitlab-runner wrote. Only a regular file is read, because a pipe could be waited
/// for.
///
/// # Errors
///
/// Those of the operating system, and [`ErrorKind::FileTooLarge`] beyond [`MAX_SCRIPT`].
pub fn read_script_file(path: &Path) -> Result<Vec<u8>> {
    within_limit(fargate_files::read_at_most(path, MAX_SCRIPT)?)
}

/// Reads a script that a person names; `-` is standard input. It is waited for.
///
/// # Errors
///
/// As [`read_script_file`].
pub fn read_script(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_SCRIPT + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().take(limit).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    within_limit(bytes)
}

fn within_limit(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.len() as u64 > MAX_SCRIPT {
        let mib = MAX_SCRIPT / 1024 / 1024;
        let words = format!("it is larger than {mib} MiB");
        return Err(Error::new(ErrorKind::FileTooLarge, words));
    }
    Ok(bytes)
}
