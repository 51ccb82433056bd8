//! An engine with an image that has a stock `sshd`, one with our agent on top, and the command on it.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fargate_tests::{PlainEngine, agent, have, root_of_test_image, runner, skip};
use serde_json::Value;
use tempfile::TempDir;

/// The image with a stock `sshd`, as installations of GitLab's driver have it.
pub const SSHD: &str = "smoke/sshd:1";
/// The same with our agent.
pub const AGENT: &str = "smoke/agent:1";

/// The engine and a folder, for one test at a time: each looks at what is left there.
pub struct TestSite {
    site: &'static SharedSite,
    _turn: MutexGuard<'static, ()>,
}

pub struct SharedSite {
    pub engine: PlainEngine,
    folder: TempDir,
}

impl Deref for TestSite {
    type Target = SharedSite;

    fn deref(&self) -> &SharedSite {
        self.site
    }
}

/// What all tests share, or `None` after saying why they are skipped. In CI nothing is skipped.
pub fn site() -> Option<TestSite> {
    static TURN: Mutex<()> = Mutex::new(());
    static SITE: OnceLock<Result<SharedSite, String>> = OnceLock::new();
    if !have("docker") {
        skip("docker is not installed");
        return None;
    }
    match SITE.get_or_init(SharedSite::start) {
        Ok(site) => {
            let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            Some(TestSite { site, _turn: turn })
        }
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

impl SharedSite {
    fn start() -> Result<Self, String> {
        let root = root_of_test_image()?;
        let site = Self {
            engine: PlainEngine::start()?,
            folder: tempfile::Builder::new().prefix("smoke-").tempdir().expect("a folder"),
        };
        let entry = r#"ENTRYPOINT ["/usr/bin/tini","--","/usr/local/bin/entrypoint.sh"]"#;
        let root = root.to_str().expect("UTF-8");
        site.docker(&["import", "--change", entry, root, SSHD]);
        let config = "config_version = 1\nstate_dir = \"STATE\"\n\n[defaults]\ncluster = \"ci\"\nregion = \
             \"eu-west-1\"\nsubnets = [\"subnet-0a1b2c3d4e5f60718\"]\nsecurity_groups = \
             [\"sg-0a1b2c3d4e5f60718\"]\ntask_definition = \"ci:1\"\n\n[profile.stock]\nhost_key = \
             \"first_use\"\n\n[profile.far.timeouts]\nagent_start = \"3s\"\n\n[image.far]\nrepository = \
             \"registry.example/team/far\"\ncontext = \"STATE\"\nmanifest = \
             \"STATE/images.json\"\nprofile = \"far\"\n\n[image.agent]\nrepository = \"registry.example/team/ci\"\ncontext = \
             \"STATE\"\nmanifest = \"STATE/images.json\"\n\n[image.sshd]\nrepository = \
             \"registry.example/team/sshd\"\ncontext = \"STATE\"\nmanifest = \"STATE/images.json\"\nprofile = \
             \"stock\"\n";
        let config = config.replace("STATE", site.folder.path().to_str().expect("UTF-8"));
        fs::write(site.path("config.toml"), config).expect("a writable folder");
        fs::copy(agent(), site.path("fargate-agent")).expect("the agent");
        site.image(AGENT, SSHD, "COPY fargate-agent /usr/local/bin/fargate-agent\n\
             ENV PATH=/opt/tool/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TOOL=1\n\
             ENTRYPOINT [\"/usr/local/bin/fargate-agent\"]\n");
        Ok(site)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Builds an image; the folder with the agent is its context.
    pub fn image(&self, tag: &str, base: &str, instructions: &str) {
        let dockerfile = self.path("Dockerfile");
        fs::write(&dockerfile, format!("FROM {base}\n{instructions}")).expect("a writable folder");
        let folder = self.folder.path().to_str().expect("UTF-8");
        self.docker(&["build", "--quiet", "--tag", tag, folder]);
    }

    /// The engine's client with these arguments, which must succeed. Gives stdout.
    pub fn docker(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", self.engine.docker_host()).env("DOCKER_BUILDKIT", "0");
        let output = command.args(arguments).output().expect("docker can be started");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {err}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// `image test` of one of the configured images.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(runner());
        command.arg("--config").arg(self.path("config.toml")).args(["image", "test", name]);
        command.args(arguments).env("DOCKER_HOST", self.engine.docker_host());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The same, done.
    pub fn test(&self, name: &str, arguments: &[&str]) -> SmokeTestOutput {
        SmokeTestOutput(self.command(name, arguments).output().expect("the program starts"))
    }

    /// No container is left, and no image that the test itself has loaded.
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.engine.contents().expect("an engine that answers"), [] as [&str; 0]);
        let tags = self.engine.image_tags().expect("an engine that answers");
        assert!(tags.iter().all(|tag| tag.starts_with("smoke/")), "{tags:?}");
    }
}

/// What the command said.
pub struct SmokeTestOutput(pub Output);

impl SmokeTestOutput {
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub fn with_code(self, code: i32) -> Self {
        let out = String::from_utf8_lossy(&self.0.stdout);
        assert_eq!(self.0.status.code(), Some(code), "{out}\n{}", self.err());
        self
    }

    pub fn report(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).expect("one JSON object")
    }
}

/// What a report says of one check.
pub fn words<'a>(report: &'a Value, name: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["name"] == name).expect("this check");
    check["words"].as_str().expect("words")
}
