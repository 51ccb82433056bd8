//! Images that pass: what is checked in them, how they come to the engine, and how the engine is reached.

use std::fs::{self, File};
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::test_site::{AGENT, SSHD, SmokeTestOutput, site, words};

#[test]
fn an_image_with_the_agent_runs_a_job_and_leaves_nothing() {
    let Some(site) = site() else { return };
    let tested = site.test("agent", &["--image-id", AGENT, "--json"]).with_code(0);
    let report = tested.report();
    let peer = report["peer"].as_str().expect("a peer");
    assert!(peer.starts_with("fargate-agent "), "{peer}");
    assert!(report["banner_ms"].as_u64() < report["took_ms"].as_u64(), "{report}");
    assert_eq!(words(&report, "environment"), "PATH has /opt/tool/bin");
    assert!(words(&report, "checkout").ends_with(", one commit checked out"), "{report}");
    assert_eq!(words(&report, "large output"), "10.4 MB arrived byte for byte");
    assert_eq!(words(&report, "exit status"), "7 arrived as 7");
    assert!(tested.err().contains("job over SSH passed, banner after"), "{}", tested.err());
    assert!(!tested.err().contains("warning"), "{}", tested.err());
    site.assert_nothing_left();
}

#[test]
fn an_image_with_a_stock_sshd_runs_a_job_and_a_warning_names_what_scripts_do_not_see() {
    let Some(site) = site() else { return };
    site.image("smoke/sshd-env:1", SSHD, "ENV TOOL_HOME=/opt/tool\n");
    let tested = site.test("sshd", &["--image-id", "smoke/sshd-env:1", "--json"]).with_code(0);
    let peer = tested.report()["peer"].as_str().expect("a peer").to_owned();
    assert!(peer.starts_with("SSH-2.0-OpenSSH_"), "{peer}");
    assert!(tested.err().contains("scripts do not see TOOL_HOME of the image"), "{}", tested.err());
    site.assert_nothing_left();
}

#[test]
fn the_image_of_a_folder_is_loaded_tested_by_its_own_digest_and_removed_again() {
    let Some(site) = site() else { return };
    site.image("smoke/folder:1", AGENT, "LABEL made=for-this-test\n");
    let folder = site.path("layout");
    let archive = site.path("saved.tar");
    site.docker(&["save", "smoke/folder:1", "--output", &path(&archive)]);
    let config = write_layout(&archive, &folder);
    site.docker(&["rmi", "smoke/folder:1"]);
    assert!(site.engine.image(&config).is_ok_and(|found| found["Id"].is_null()), "it is gone");
    site.test("agent", &["--from", &path(&folder), "--json"]).with_code(0);
    site.assert_nothing_left();
    assert!(
        site.engine.image(&config).is_ok_and(|found| found["Id"].is_null()),
        "it is gone again"
    );
    // A layer that is damaged is found before the engine gets anything.
    let blobs = fs::read_dir(folder.join("blobs/sha256")).expect("blobs");
    let largest = blobs.flatten().max_by_key(|blob| blob.metadata().expect("a file").len());
    fs::write(largest.expect("a blob").path(), "damaged").expect("a writable folder");
    let damaged = site.test("agent", &["--from", &path(&folder)]).with_code(11).err();
    assert!(damaged.contains("hint: export the image again"), "{damaged}");
    site.assert_nothing_left();
}

#[test]
fn an_engine_by_tcp_publishes_no_port_and_is_used_where_its_containers_can_be_reached() {
    let Some(site) = site() else { return };
    let socket = site.engine.docker_host().trim_start_matches("unix://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let engine = UnixStream::connect(&socket).expect("the engine");
            both_ways(client, engine);
        }
    });
    let mut command = site.command("agent", &["--image-id", AGENT, "--json"]);
    let output = command.env("DOCKER_HOST", format!("tcp://{address}")).output();
    SmokeTestOutput(output.expect("the program starts")).with_code(0);
    site.assert_nothing_left();
}

fn both_ways(client: TcpStream, engine: UnixStream) {
    let (mut from_client, mut to_engine) =
        (client.try_clone().expect("a socket"), engine.try_clone().expect("a socket"));
    let (mut to_client, mut from_engine) = (client, engine);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
}

fn path(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// Makes an OCI layout with zstd layers of what `docker save` wrote. Gives the digest of the configuration.
fn write_layout(archive: &Path, folder: &Path) -> String {
    let unpacked = folder.with_extension("unpacked");
    fs::create_dir_all(&unpacked).expect("a folder");
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a folder");
    let unpack = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&unpacked).status();
    assert!(unpack.expect("tar starts").success());
    let listed = fs::read(unpacked.join("manifest.json")).expect("a manifest");
    let listed: Value = serde_json::from_slice(&listed).expect("JSON");
    let name = |value: &Value| unpacked.join(value.as_str().expect("a name"));
    let blob = |bytes: &[u8], media_type: &str| {
        let hex = hex::encode(Sha256::digest(bytes));
        fs::write(blobs.join(&hex), bytes).expect("a blob");
        json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len() })
    };
    let layers: Vec<Value> = listed[0]["Layers"]
        .as_array()
        .expect("layers")
        .iter()
        .map(|layer| {
            let content = File::open(name(layer)).expect("a layer");
            let packed = zstd::stream::encode_all(content, 1).expect("zstd");
            blob(&packed, "application/vnd.oci.image.layer.v1.tar+zstd")
        })
        .collect();
    let config = fs::read(name(&listed[0]["Config"])).expect("a configuration");
    let config = blob(&config, "application/vnd.oci.image.config.v1+json");
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": layers });
    let manifest = blob(manifest.to_string().as_bytes(), manifest_type);
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(folder.join("index.json"), index.to_string()).expect("an index");
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a mark");
    config["digest"].as_str().expect("a digest").to_owned()
}
