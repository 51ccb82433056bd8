//! A host whose configuration has `[image.ci]` with a repository, and `image` called on it.

use fargate_tests::image_registry::{PASSWORD, USER};
use fargate_tests::{CheckedHost, PolicyHolder};
use serde_json::Value;
use tokio::process::Command;

pub const REPOSITORY: &str = "team/ci";

/// The host.
pub struct PushHost {
    pub host: CheckedHost,
    registry: String,
}

/// What a command said.
pub struct SaidByPush {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl PushHost {
    /// A host whose image goes to this registry, with the login in Secrets Manager.
    pub async fn open(registry: &str) -> Self {
        let host = CheckedHost::open().await;
        for (key, time) in [("aws_connect", "500ms"), ("aws_attempt", "2s"), ("aws_call", "4s")] {
            host.set(&format!("defaults.timeouts.{key}"), time);
        }
        let login = format!(r#"{{"username":"{USER}","password":"{PASSWORD}"}}"#);
        host.cloud().put_secret("ci/registry", &login).expect("a name and a value");
        host.set("image.ci.repository", format!("{registry}/{REPOSITORY}"));
        host.set("image.ci.context", host.folder().to_str().expect("UTF-8"));
        host.set("image.ci.manifest", "/nonexistent/images.json");
        host.set("image.ci.registry_secret", "ci/registry");
        Self { host, registry: registry.to_owned() }
    }

    /// Host and port of the registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Checks what must hold after every test.
    pub async fn close(self) {
        self.host.close().await;
    }

    /// The command `image` with these arguments, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(fargate_tests::runner());
        command.arg("--config").arg(self.host.config()).env_clear();
        command.envs(self.host.environment_of(PolicyHolder::ImageBuilder, &self.host.config()));
        command.env("AWS_ENDPOINT_URL", self.host.cloud().endpoint());
        command.env("XDG_CACHE_HOME", self.host.folder().join("cache"));
        command.env("TMPDIR", self.host.folder());
        command.env("DOCKER_CONFIG", self.host.folder().join("docker"));
        command.arg("image").args(arguments).kill_on_drop(true);
        command
    }

    /// Calls `image` with these arguments. The password is nowhere in what it says.
    pub async fn image(&self, arguments: &[&str]) -> SaidByPush {
        said(self.command(arguments), &self.registry).await
    }

    /// The same, which must succeed. Gives the object that `--json` prints.
    pub async fn done(&self, arguments: &[&str]) -> Value {
        let said = self.image(&[arguments, &["--json"]].concat()).await;
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.err);
        serde_json::from_str(&said.out).expect("one JSON object")
    }

    /// The same, which must fail with this code. Gives the error and its hint.
    pub async fn refused(&self, arguments: &[&str], code: i32) -> String {
        let said = self.image(arguments).await;
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.out, said.err);
        let from = said.err.find("error: ").unwrap_or_else(|| panic!("no error in {}", said.err));
        said.err[from..].to_owned()
    }
}

/// Waits for a command.
pub async fn said(mut command: Command, registry: &str) -> SaidByPush {
    let output = command.output().await.expect("a program that can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(registry, "REGISTRY");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!out.contains(PASSWORD) && !err.contains(PASSWORD), "{out}{err}");
    SaidByPush { code: output.status.code(), out, err }
}
