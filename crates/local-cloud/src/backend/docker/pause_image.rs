//! The image of the container that holds a task's network namespace. It is made here, so that no
//! registry is asked: one program that does nothing but wait.
//!
//! The engine keeps the image, a hundred bytes, for the next cloud.

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};

use super::engine::DockerEngine;
use super::engine_error::EngineError;

/// The program's path in the image.
pub const PROGRAM: &str = "/pause";
/// How long the engine may take to store the image.
const IMPORT_TIME: Duration = Duration::from_secs(60);
/// Where the program lies in memory.
const ADDRESS: u64 = 0x0040_0000;
/// Bytes of the two headers before the program's first instruction.
const HEADERS: u64 = 64 + 56;
/// `pause()` again and again: `mov eax, 34; syscall; jmp` back.
const X86_64: [u8; 9] = [0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xeb, 0xf7];
/// `ppoll` of nothing without a limit, again and again: `mov x8, 73`, `mov x0..x4, 0`, `svc 0`, and
/// `b` back.
const AARCH64: [u32; 8] = [
    0xd280_0928,
    0xd280_0000,
    0xd280_0001,
    0xd280_0002,
    0xd280_0003,
    0xd280_0004,
    0xd400_0001,
    0x17ff_fff9,
];
/// Numbers of the processors in the header of an ELF file.
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// The image's id on one engine, once it was asked for.
#[derive(Debug, Default)]
pub struct PauseImage {
    id: Mutex<Option<String>>,
}

impl PauseImage {
    /// The id of the image. The engine is asked once.
    pub async fn known(&self, engine: &DockerEngine) -> Result<String, EngineError> {
        let mut id = self.id.lock().await;
        if let Some(id) = &*id {
            return Ok(id.clone());
        }
        let found = ensure(engine).await?;
        *id = Some(found.clone());
        Ok(found)
    }

    /// The same, after somebody removed the image from the engine.
    pub async fn make_again(&self, engine: &DockerEngine) -> Result<String, EngineError> {
        *self.id.lock().await = None;
        self.known(engine).await
    }
}

/// Sees to it that the engine has the image; gives its id.
async fn ensure(engine: &DockerEngine) -> Result<String, EngineError> {
    let (name, tag) = ("fargate-local-pause", format!("1-{}", engine.machine()));
    let full = format!("{name}:{tag}");
    if let Some(id) = find(engine, &full).await? {
        return Ok(id);
    }
    let program = program(engine.machine());
    let archive = archive(PROGRAM.trim_start_matches('/'), &program);
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(name).tag(&tag).build();
    let body = bollard::body_full(archive.into());
    let import = async {
        let mut answers = engine.client().create_image(Some(options), Some(body), None);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    };
    let what = "importing an image";
    let imported = timeout(IMPORT_TIME, import).await;
    let imported = imported.map_err(|_| EngineError::Slow { what, within: IMPORT_TIME })?;
    imported.map_err(|error| EngineError::of(what, IMPORT_TIME, error))?;
    let missing = || EngineError::Refused { status: 404, message: format!("no image {full}") };
    find(engine, &full).await?.ok_or_else(missing)
}

async fn find(engine: &DockerEngine, name: &str) -> Result<Option<String>, EngineError> {
    match engine.ask("looking for an image", engine.client().inspect_image(name)).await {
        Ok(image) => Ok(image.id),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A static program for this machine, as an ELF file with one segment.
fn program(machine: &str) -> Vec<u8> {
    let (number, code): (u16, Vec<u8>) = match machine {
        "aarch64" | "arm64" => (EM_AARCH64, AARCH64.iter().flat_map(|i| i.to_le_bytes()).collect()),
        _ => (EM_X86_64, X86_64.to_vec()),
    };
    let size = HEADERS + u64::try_from(code.len()).expect("some bytes");
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    file.extend([0; 8]);
    // An executable file for this processor, version 1.
    file.extend(2_u16.to_le_bytes());
    file.extend(number.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    // Its entry; one program header right behind this one; no sections.
    for value in [ADDRESS + HEADERS, 64, 0] {
        file.extend(value.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for value in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(value.to_le_bytes());
    }
    // One segment to load: the whole file, readable and executable.
    file.extend(1_u32.to_le_bytes());
    file.extend(5_u32.to_le_bytes());
    for value in [0, ADDRESS, ADDRESS, size, size, 0x1_0000] {
        file.extend(value.to_le_bytes());
    }
    file.extend(code);
    file
}

/// A tar archive with one executable file.
///
/// Source of the header: POSIX, `pax`, "ustar Interchange Format".
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, name);
    put(100, "0000755\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    // The sum is taken with blanks in its own place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_program_is_one_that_waits_and_ends_by_sigterm() {
        use std::os::unix::process::ExitStatusExt;
        if cfg!(not(target_arch = "x86_64")) && cfg!(not(target_arch = "aarch64")) {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pause");
        let bytes = folder.path().join("bytes");
        std::fs::write(&bytes, program(std::env::consts::ARCH)).expect("a file");
        // Copied by another process: a program cannot start while anybody has its file open to write, and
        // a child that another test starts at this moment would inherit such a file of ours.
        let copied = Command::new("install").args(["-m", "755"]).arg(&bytes).arg(&path).status();
        assert!(copied.expect("install runs").success());
        let mut child = Command::new(&path).spawn().expect("a program that starts");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        assert!(child.try_wait().expect("a child").is_none(), "it waits");
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
        assert_eq!(child.wait().expect("a child").signal(), Some(15));
    }

    #[test]
    fn the_archive_is_one_that_tar_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.tar");
        std::fs::write(&path, archive("pause", b"content")).expect("a file");
        let told = Command::new("tar").arg("-xOf").arg(&path).output().expect("tar runs");
        assert_eq!((told.stdout.as_slice(), told.stderr.as_slice()), (&b"content"[..], &b""[..]));
    }
}
