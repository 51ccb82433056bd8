//! What skopeo, zstd, gzip and the engine see of a pushed image is what `image push` says of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use fargate_tests::image_registry::{AUTHORIZATION, ImageRegistry};
use fargate_tests::{PlainEngine, have, skip};
use serde_json::{Value, json};

use crate::image_layout::{MANIFEST_TYPE, digest_of};
use crate::push_host::{PushHost, REPOSITORY, said};
use crate::rebuilt_images::docker;

const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKERFILE: &str = "FROM scratch\nCOPY a /first/\nCOPY b /second/\nLABEL x=y\nENV CI=1\n\
                          USER 1000\nWORKDIR /first\n";

/// skopeo with the login of the tests' registry.
struct SkopeoJudge<'a> {
    folder: &'a Path,
    repository: String,
}

impl<'a> SkopeoJudge<'a> {
    fn with_login(folder: &'a Path, registry: &str) -> Self {
        let auth = AUTHORIZATION.trim_start_matches("Basic ");
        let login = json!({ "auths": { registry: { "auth": auth } } });
        fs::write(folder.join("auth.json"), login.to_string()).expect("a writable folder");
        Self { folder, repository: format!("{registry}/{REPOSITORY}") }
    }

    /// What `skopeo inspect` prints of the image with this digest.
    fn seen(&self, digest: &str, flags: &[&str]) -> Vec<u8> {
        let mut command = Command::new("skopeo");
        command.arg("inspect").args(flags).arg("--tls-verify=false");
        command.arg("--authfile").arg(self.folder.join("auth.json"));
        output(command.arg(format!("docker://{}@{digest}", self.repository)))
    }

    /// Copies the image into a folder with the OCI image layout. skopeo compares every digest.
    fn copied(&self, digest: &str, folder: &Path) {
        let mut command = Command::new("skopeo");
        command.args(["copy", "--quiet", "--preserve-digests", "--src-tls-verify=false"]);
        command.arg("--src-authfile").arg(self.folder.join("auth.json"));
        command.arg(format!("docker://{}@{digest}", self.repository));
        output(command.arg(format!("oci:{}:copy", folder.display())));
    }
}

fn output(command: &mut Command) -> Vec<u8> {
    let done = command.output().expect("a program that can be started");
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {err}");
    done.stdout
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// Checks one image, which was pushed with this compression, and gives its digest.
async fn judged(host: &PushHost, engine: &PlainEngine, id: &str, compression: &str) -> String {
    let registry = host.registry();
    host.host.set("image.ci.compression", compression);
    let mut command = host.command(&["push", "ci", "--image-id", id, "--json"]);
    command.env("DOCKER_HOST", engine.docker_host()).env("SOURCE_DATE_EPOCH", "1700000000");
    let pushed = said(command, registry).await;
    assert_eq!(pushed.code, Some(0), "{}", pushed.err);
    let pushed = parsed(pushed.out.as_bytes())["pushed"].clone();
    let digest = pushed["digest"].as_str().expect("a digest");

    let folder = tempfile::tempdir().expect("a folder");
    let skopeo = SkopeoJudge::with_login(folder.path(), registry);
    let raw = skopeo.seen(digest, &["--raw"]);
    assert_eq!(digest_of(&raw), digest);
    let manifest = parsed(&raw);
    assert_eq!(manifest["mediaType"], MANIFEST_TYPE);
    let layers = manifest["layers"].as_array().expect("layers");
    assert_eq!(pushed["layers"], layers.len());
    let blobs = layers.iter().chain([&manifest["config"]]);
    let sizes: BTreeMap<_, _> =
        blobs.map(|blob| (blob["digest"].as_str(), &blob["size"])).collect();
    let bytes: u64 = sizes.values().filter_map(|size| size.as_u64()).sum();
    let told = |name: &str| pushed[name].as_u64().expect("a number");
    assert_eq!(told("sent_bytes") + told("reused_bytes"), bytes);

    let config_bytes = skopeo.seen(digest, &["--config", "--raw"]);
    assert_eq!(manifest["config"]["digest"], digest_of(&config_bytes));
    let config = parsed(&config_bytes);
    let own = &config["config"];
    assert_eq!((&own["User"], &own["WorkingDir"]), (&json!("1000"), &json!("/first")));
    assert_eq!((&own["Env"][1], &own["Labels"]), (&json!("CI=1"), &json!({ "x": "y" })));
    let inspected = parsed(&skopeo.seen(digest, &[]));
    let names: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    assert_eq!(inspected["Layers"], json!(names));
    assert_eq!((&inspected["Architecture"], &inspected["Os"]), (&json!("amd64"), &json!("linux")));

    let copy = folder.path().join("copy");
    skopeo.copied(digest, &copy);
    let index = parsed(&fs::read(copy.join("index.json")).expect("an index"));
    assert_eq!(index["manifests"][0]["digest"], digest);
    let diff_ids = config["rootfs"]["diff_ids"].as_array().expect("a list");
    assert_eq!(diff_ids.len(), layers.len());
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        assert_eq!(layer["mediaType"], format!("{LAYER_TYPE}+{compression}"));
        let name = layer["digest"].as_str().expect("a digest").replacen(':', "/", 1);
        let blob = File::open(copy.join("blobs").join(name)).expect("a layer");
        let unpacked = output(Command::new(compression).arg("-dc").stdin(blob));
        assert_eq!(*diff_id, digest_of(&unpacked));
    }
    digest.to_owned()
}

#[tokio::test]
async fn what_others_see_of_a_pushed_image_is_what_the_push_said() {
    let engine = match PlainEngine::start() {
        Ok(engine) if ["docker", "skopeo", "zstd"].into_iter().all(have) => engine,
        Ok(_) => return skip("docker, skopeo or zstd is not installed"),
        Err(missing) => return skip(&missing),
    };
    let Some(registry) = ImageRegistry::start().await else {
        return skip("docker-registry is not installed");
    };
    let host = PushHost::open(&registry.host()).await;
    host.host.set("image.ci.context", "/nonexistent");
    let context = tempfile::tempdir().expect("a folder");
    for (name, content) in [("Dockerfile", DOCKERFILE), ("a", &"a".repeat(300_000)), ("b", "b")] {
        fs::write(context.path().join(name), content).expect("a writable folder");
    }
    let folder = context.path().to_str().expect("UTF-8");
    let id = docker(&engine, context.path(), &["build", "-q", folder]).await;
    let zstd = judged(&host, &engine, &id, "zstd").await;
    let gzip = judged(&host, &engine, &id, "gzip").await;
    assert_ne!(zstd, gzip);

    // The engine of Debian 12 reads gzip alone. Its image's id is the digest of the configuration.
    SkopeoJudge::with_login(context.path(), &registry.host());
    fs::rename(context.path().join("auth.json"), context.path().join("config.json"))
        .expect("a writable folder");
    let image = format!("{}/{REPOSITORY}@{gzip}", registry.host());
    docker(&engine, context.path(), &["pull", "--quiet", &image]).await;
    let format = "{{.Id}} {{.Config.User}} {{.Config.WorkingDir}} {{len .RootFS.Layers}}";
    let seen = docker(&engine, context.path(), &["inspect", "-f", format, &image]).await;
    let skopeo = SkopeoJudge::with_login(context.path(), &registry.host());
    let config = digest_of(&skopeo.seen(&gzip, &["--config", "--raw"]));
    let layers = parsed(&skopeo.seen(&gzip, &["--raw"]))["layers"].as_array().map(Vec::len);
    assert_eq!(seen, format!("{config} 1000 /first {}", layers.unwrap_or_default()));
    host.close().await;
}
