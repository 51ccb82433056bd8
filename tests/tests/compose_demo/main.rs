//! What `make compose-demo` runs: our images, ministack, a registry with a password, and one job through the
//! driver. On a Docker Engine of its own, so that nothing of this machine's is touched.
//!
//! It needs what `images/compose-demo.sh` needs: root, a Docker Engine, docker-compose, debootstrap where the base
//! image is not there yet, and a mirror of Debian.

mod demo_runs;
mod image_contents;

use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use fargate_tests::{PlainEngine, agent, have, runner, skip};
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

/// Longest time of a script: the images are built in about a minute, and the rest takes half of that.
const DEADLINE: Duration = Duration::from_secs(600);

/// The engine of this program, for one test at a time: a second one finds the layers of the first one's images.
/// `None` after saying why the test is skipped.
async fn engine() -> Option<MutexGuard<'static, PlainEngine>> {
    static ENGINE: OnceLock<Result<Mutex<PlainEngine>, String>> = OnceLock::new();
    if !have("docker") || !have_compose().await {
        return None;
    }
    match ENGINE.get_or_init(|| PlainEngine::start().map(Mutex::new)) {
        Ok(engine) => Some(engine.lock().await),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

async fn have_compose() -> bool {
    let plugin = Command::new("docker").args(["compose", "version"]).output().await;
    plugin.is_ok_and(|output| output.status.success()) || have("docker-compose")
}

/// How a script of `images/` ended, and what it wrote.
struct ScriptEnd {
    passed: bool,
    log: String,
}

/// Runs a script of `images/` with the binaries of this build.
async fn script(
    engine: &PlainEngine,
    name: &str,
    arguments: &[&str],
    more: &[(&str, &str)],
) -> ScriptEnd {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member has a parent");
    let mut command = Command::new(root.join("images").join(name));
    command.arg(runner().parent().expect("it lies in a folder")).args(arguments);
    command.env("DOCKER_HOST", engine.docker_host()).env("FARGATE_AGENT", agent());
    // Containers of this engine reach no other machine, and a build has to.
    command.env("BUILD_NETWORK", "host").envs(more.iter().copied());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(DEADLINE, command.output()).await.expect("a script that ends by itself");
    let output = output.expect("a script that can be started");
    let log = [output.stdout, output.stderr].concat();
    ScriptEnd { passed: output.status.success(), log: String::from_utf8_lossy(&log).into_owned() }
}
