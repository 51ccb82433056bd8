//! The Debian package, made of the binaries of this build, is installed in a fresh Debian; the service starts
//! there, and is ready.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fargate_tests::{PlainEngine, agent, have, runner, skip};
use serde_json::Value;

use crate::root;

/// Installs the package, starts the service as its unit does, asks whether it is ready, and removes all.
const IN_THE_CONTAINER: &str = r#"
set -eu
dpkg --install /packages/*.deb
fargate-runner --version
grep -q ExecStart=/usr/bin/fargate-runner /usr/lib/systemd/system/fargate-runner.service
# StateDirectory of the unit: systemd makes it empty.
install -d -m 700 /var/lib/fargate-runner
fargate-runner serve >/tmp/address &
service=$!
ask() {
    exec 3<>/dev/tcp/127.0.0.1/9253 || return 1
    printf 'GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1:9253\r\nConnection: close\r\n\r\n' >&3
    read -r status <&3
    exec 3>&-
    echo "health: $status"
    case $status in *" 200 "*) ;; *) return 1 ;; esac
}
tries=0
until (ask) 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 300 ]
    sleep 0.1
done
cat /tmp/address
kill "$service"
wait "$service"
dpkg --purge fargate-runner
[ ! -e /usr/bin/fargate-runner ]
echo "the service ended and the package is gone"
"#;

fn make_dist(out: &Path) -> Output {
    let programs = runner();
    let mut command = Command::new(root().join("packaging/make-dist.sh"));
    command.arg(programs.parent().expect("it lies in a folder")).arg(agent()).arg(out);
    // Nothing is packed tightly: binaries of a build for development are large.
    command.env("COMPRESSION", "none").env("GZIP_LEVEL", "1");
    command.env("SOURCE_DATE_EPOCH", "1700000000").output().expect("make-dist.sh")
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn the_package_installs_in_a_fresh_debian_and_its_service_becomes_ready() {
    if !have("dpkg-deb") || !have("docker") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    for out in [&first, &second] {
        let made = make_dist(out);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let sums =
        |folder: &Path| std::fs::read_to_string(folder.join("SHA256SUMS")).expect("the sums");
    assert_eq!(sums(&first), sums(&second), "the same binaries give the same bytes");
    assert_eq!(sums(&first).lines().count() + 1, files_of(&first).len(), "each file has its sum");
    assert_bill_of_materials(&first);
    let engine = match PlainEngine::start() {
        Ok(engine) => engine,
        Err(missing) => return skip(&missing),
    };
    let base = Command::new(root().join("images/make-base.sh"))
        .env("DOCKER_HOST", engine.docker_host())
        .output()
        .expect("make-base.sh");
    assert!(base.status.success(), "{}", String::from_utf8_lossy(&base.stderr));
    let ran = Command::new("docker")
        .env("DOCKER_HOST", engine.docker_host())
        .args(["run", "--rm", "--network", "none", "--volume"])
        .arg(format!("{}:/packages:ro", first.display()))
        .args(["fargate-runner/base:local", "/bin/bash", "-c", IN_THE_CONTAINER])
        .output()
        .expect("docker");
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ran.status.success(), "{said}");
    for words in ["health: HTTP/1.1 200 OK", "http://127.0.0.1:9253/", "the package is gone"] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
}

/// The list names what is compiled in, with checksums, and nothing that only tests use.
fn assert_bill_of_materials(folder: &Path) {
    let path =
        files_of(folder).into_iter().find(|path| path.extension().is_some_and(|e| e == "json"));
    let text = std::fs::read_to_string(path.expect("a list")).expect("the list");
    let list: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(list["bomFormat"], "CycloneDX");
    let components = list["components"].as_array().expect("components");
    let named = |name: &str| components.iter().find(|component| component["name"] == name);
    let tokio = named("tokio").expect("a crate of the binaries");
    assert_eq!(tokio["hashes"][0]["content"].as_str().map(str::len), Some(64), "{tokio}");
    assert_eq!(tokio["licenses"][0]["expression"], "MIT");
    assert!(named("insta").is_none(), "only tests use it");
}
