//! `fargate-runner image`, on a Docker Engine of these tests' own.
//!
//! All tests of this program share one engine, which ends with the program.

mod checks_and_builds;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fargate_tests::{PlainEngine, have, runner, skip};
use serde_json::Value;
use tempfile::TempDir;

/// What a shell of busybox needs in an image without anything else.
const LIBRARIES: [&str; 3] = [
    "/lib/x86_64-linux-gnu/libresolv.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
];

/// The engine, for one test at a time: each looks at what is left on it.
struct EngineTurn {
    engine: &'static PlainEngine,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for EngineTurn {
    type Target = PlainEngine;

    fn deref(&self) -> &PlainEngine {
        self.engine
    }
}

/// What all tests share, or `None` after saying why they are skipped. In CI nothing is skipped.
fn engine() -> Option<EngineTurn> {
    static TURN: Mutex<()> = Mutex::new(());
    static ENGINE: OnceLock<Result<PlainEngine, String>> = OnceLock::new();
    if !have("busybox") {
        skip("busybox is not installed");
        return None;
    }
    match ENGINE.get_or_init(PlainEngine::start) {
        Ok(engine) => {
            let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            Some(EngineTurn { engine, _turn: turn })
        }
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

/// A folder with a configuration file and the context of the image `ci`.
struct ImageFolder {
    folder: TempDir,
    docker_host: String,
}

impl ImageFolder {
    /// With this Dockerfile; `keys` are further lines of `[image.ci]`.
    fn new(docker_host: &str, dockerfile: &str, keys: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("image-").tempdir().expect("a folder");
        let made = Self { folder, docker_host: docker_host.to_owned() };
        made.write("Dockerfile", dockerfile);
        let (context, root) = (made.context(), made.folder.path());
        let config = format!(
            "config_version = 1\nstate_dir = \"{root}/state\"\n\n[defaults]\ncluster = \"ci\"\nregion = \
             \"eu-west-1\"\nsubnets = [\"subnet-0a1b2c3d4e5f60718\"]\nsecurity_groups = \
             [\"sg-0a1b2c3d4e5f60718\"]\ntask_definition = \"ci:1\"\n\n[image.ci]\nrepository = \
             \"registry.example/team/ci\"\ncontext = \"{context}\"\nmanifest = \
             \"{root}/images.json\"\n{keys}\n",
            root = root.display(),
            context = context.display(),
        );
        fs::write(root.join("config.toml"), config).expect("a writable folder");
        made
    }

    /// With busybox and a shell, on which these instructions follow.
    fn with_shell(docker_host: &str, instructions: &str, keys: &str) -> Self {
        let start = "FROM scratch\nCOPY tools/busybox /bin/busybox\nCOPY tools/lib /lib64\n\
                     ENV LD_LIBRARY_PATH=/lib64\n\
                     RUN [\"/bin/busybox\", \"ln\", \"-s\", \"/bin/busybox\", \"/bin/sh\"]\n";
        let made = Self::new(docker_host, &format!("{start}{instructions}"), keys);
        let tools = made.context().join("tools");
        fs::create_dir_all(tools.join("lib")).expect("a writable folder");
        let busybox =
            ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|b| Path::new(b).exists());
        fs::copy(busybox.expect("it is installed"), tools.join("busybox")).expect("a program");
        for library in LIBRARIES.map(Path::new) {
            let name = library.file_name().expect("a file");
            fs::copy(library, tools.join("lib").join(name)).expect("a library");
        }
        made
    }

    fn context(&self) -> PathBuf {
        self.folder.path().join("context")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.context().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a writable folder");
        fs::write(path, text).expect("a writable folder");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(runner());
        command.arg("--config").arg(self.path("config.toml")).arg("image").args(arguments);
        command.env("DOCKER_HOST", &self.docker_host).env("SOURCE_DATE_EPOCH", "1700000000");
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> ImageOutput {
        ImageOutput(self.command(arguments).output().expect("the program starts"))
    }
}

/// What a command said.
struct ImageOutput(Output);

impl ImageOutput {
    fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    fn with_code(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{}\n{}", self.out(), self.err());
        self
    }

    /// Each line of stdout is one JSON object.
    fn objects(&self) -> Vec<Value> {
        self.out().lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
    }
}
