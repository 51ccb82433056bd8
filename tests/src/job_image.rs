//! The context of an image for jobs: busybox and the agent, all of it in a commit.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::checked_host::agent;
use crate::image_host::ImageHost;

/// What a shell of busybox needs in an image without anything else.
const LIBRARIES: [&str; 3] = [
    "/lib/x86_64-linux-gnu/libresolv.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
];
/// The image. Its one instruction that differs between versions comes last.
pub const JOB_DOCKERFILE: &str = "FROM scratch\nCOPY root /\nENV PATH=/bin LD_LIBRARY_PATH=/lib64\n\
    COPY version /version\nENTRYPOINT [\"/bin/fargate-agent\"]\n";

impl ImageHost {
    /// Writes the context, and makes a commit of it.
    ///
    /// # Panics
    ///
    /// If busybox, git or strip is not installed.
    pub fn with_job_image(&self) {
        let root = self.context().join("root");
        for folder in ["bin", "lib64", "tmp", "root", "etc", "builds"] {
            fs::create_dir_all(root.join(folder)).expect("a writable folder");
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|path| path.exists()).expect("it is installed");
        fs::copy(busybox, root.join("bin/busybox")).expect("a program");
        for tool in ["sh", "cat", "true", "env", "mkdir", "rm", "head", "sleep", "tr", "wc", "id"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(tool)).expect("a link");
        }
        let strip = Command::new("strip");
        run({ strip }.arg("-o").arg(root.join("bin/fargate-agent")).arg(agent()));
        for library in LIBRARIES.map(Path::new) {
            let name = library.file_name().expect("a file");
            fs::copy(library, root.join("lib64").join(name)).expect("a library");
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("a file");
        self.write(".dockerignore", ".git\n");
        self.write("Dockerfile", JOB_DOCKERFILE);
        self.write("version", "one\n");
        self.commit();
    }

    /// Writes a file of the context.
    ///
    /// # Panics
    ///
    /// If the disk refuses.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.context().join(name), text).expect("a writable folder");
    }

    /// Makes a commit of everything in the context.
    ///
    /// # Panics
    ///
    /// If git refuses.
    pub fn commit(&self) {
        let git = || {
            let mut git = Command::new("git");
            git.arg("-C").arg(self.context());
            git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
            git
        };
        run(git().args(["init", "--quiet"]));
        run(git().args(["add", "--all", "."]));
        run(git().args(["commit", "--quiet", "--allow-empty", "-m", "a change"]));
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("a program that can be started");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
}
