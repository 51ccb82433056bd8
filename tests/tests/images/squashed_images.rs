//! `squash = "own"` on a real Docker Engine: the pushed image has one layer above its base, and shows the same
//! files as the one that was built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fargate_tests::image_registry::{ImageRegistry, PASSWORD, USER};
use fargate_tests::{PlainEngine, have, skip};

use crate::push_host::{PushHost, REPOSITORY, said};
use crate::rebuilt_images::docker;

/// Without this tool, and what it needs, nothing can be run in an image that is made from nothing.
const TOOLS: [&str; 4] = [
    "/bin/busybox",
    "/lib/x86_64-linux-gnu/libresolv.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
];
const BASE: &str = "FROM scratch\nCOPY tools /bin\nCOPY tools /lib64\nENV LD_LIBRARY_PATH=/lib64\n\
    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
    RUN mkdir /data /gone && echo base >/data/a && echo base >/data/b && echo base >/gone/x\n";
const OWN: &str = "FROM squash/base:1\n\
    RUN echo of-the-build >/data/deleted && echo 1 >/data/one && ln /data/one /data/linked\n\
    RUN rm /data/deleted /data/b && echo new >/data/one\n\
    RUN rm -r /gone && mkdir /gone && echo y >/gone/y && chmod 700 /gone\n\
    RUN rm /data/a && mkdir /data/a && echo z >/data/a/z && ln /data/linked /data/a/linked\n\
    LABEL last=step\n";

/// The files of an image, as a container of it has them.
async fn files(engine: &PlainEngine, folder: &Path, image: &str, name: &str) -> PathBuf {
    let container = docker(engine, folder, &["create", image, "true"]).await;
    let archive = folder.join(format!("{name}.tar"));
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    docker(engine, folder, &["export", "--output", &text(&archive), &container]).await;
    docker(engine, folder, &["rm", &container]).await;
    let place = folder.join(name);
    fs::create_dir(&place).expect("a folder");
    let unpacked = Command::new("tar").arg("-xpf").arg(&archive).arg("-C").arg(&place).status();
    assert!(unpacked.expect("tar starts").success());
    place
}

/// Mode, kind, number of links, owner, target and path of each file.
fn listed(place: &Path) -> String {
    let mut find = Command::new("find");
    find.current_dir(place).args([".", "-printf", "%m %y %n %U %l %p\n"]);
    let found = find.output().expect("find starts");
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test]
async fn a_squashed_image_shows_the_same_files_in_one_layer_above_its_base() {
    let engine = match PlainEngine::start() {
        Ok(engine) if have("docker") && have("busybox") => engine,
        Ok(_) => return skip("docker or busybox is not installed"),
        Err(missing) => return skip(&missing),
    };
    let Some(registry) = ImageRegistry::start().await else {
        return skip("docker-registry is not installed");
    };
    let place = tempfile::tempdir().expect("a folder");
    let (folder, context) = (place.path(), place.path().join("context"));
    fs::create_dir_all(context.join("tools")).expect("a folder");
    for tool in TOOLS.map(Path::new) {
        let found = if tool.exists() { tool } else { Path::new("/usr/bin/busybox") };
        let name = tool.file_name().expect("a file");
        fs::copy(found, context.join("tools").join(name)).expect("a tool");
    }
    let from = context.to_str().expect("UTF-8");
    for (dockerfile, tag) in [(BASE, "squash/base:1"), (OWN, "squash/own:1")] {
        fs::write(context.join("Dockerfile"), dockerfile).expect("a file");
        docker(&engine, folder, &["build", "--quiet", "--tag", tag, from]).await;
    }
    let host = PushHost::open(&registry.host()).await;
    host.host.set("image.ci.context", from);
    host.host.set("image.ci.squash", "own");
    let mut digests = Vec::new();
    for pass in ["first", "again"] {
        let mut command = host.command(&["push", "ci", "--image-id", "squash/own:1"]);
        command.env("DOCKER_HOST", engine.docker_host()).env("SOURCE_DATE_EPOCH", "1700000000");
        // Without a cache, so that the layer is merged twice.
        command.env("XDG_CACHE_HOME", folder.join(pass));
        let pushed = said(command, &registry.host()).await;
        assert_eq!(pushed.code, Some(0), "{}", pushed.err);
        digests.push(pushed.out.trim_end().split_once('@').expect("a digest").1.to_owned());
    }
    assert_eq!(digests[0], digests[1]);

    let login = ["login", "-u", USER, "-p", PASSWORD, &registry.host()];
    docker(&engine, folder, &login).await;
    let image = format!("{}/{REPOSITORY}@{}", registry.host(), digests[0]);
    docker(&engine, folder, &["pull", &image]).await;
    let layers = ["inspect", "-f", "{{len .RootFS.Layers}}"];
    let base = docker(&engine, folder, &[&layers[..], &["squash/base:1"]].concat()).await;
    let base: usize = base.parse().expect("a number");
    let merged = docker(&engine, folder, &[&layers[..], &[&image]].concat()).await;
    assert_eq!(merged, (base + 1).to_string());
    let built = files(&engine, folder, "squash/own:1", "built").await;
    let squashed = files(&engine, folder, &image, "squashed").await;
    assert_eq!(listed(&squashed), listed(&built));
    let mut diff = Command::new("diff");
    diff.args(["-r", "--no-dereference"]).args([&built, &squashed]);
    let diff = diff.output().expect("diff starts");
    assert_eq!(String::from_utf8_lossy(&diff.stdout), "");
    assert_eq!(fs::read_to_string(squashed.join("data/linked")).expect("a file"), "1\n");
    host.close().await;
}
