//! Debian's `docker-registry` with deletion switched on, on loopback and without a login.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fargate_tests::{free_place, have, until};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A registry that deletes. It ends when this is dropped.
pub struct DeletingRegistry {
    place: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Drop for DeletingRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl DeletingRegistry {
    /// Starts it; `None` where it is not installed.
    pub async fn start() -> Option<Self> {
        if !have("docker-registry") {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("registry-").tempdir().expect("a folder");
        let place = free_place();
        let config = json!({
            "version": "0.1",
            "log": { "level": "error" },
            "storage": {
                "filesystem": { "rootdirectory": folder.path().join("data") },
                "delete": { "enabled": true },
            },
            "http": { "addr": place.to_string() },
        });
        let file = folder.path().join("config.yml");
        // JSON is YAML.
        fs::write(&file, config.to_string()).expect("a writable folder");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a program that can be started");
        let registry = Self { place, process, _folder: folder };
        until("the registry listens", || TcpStream::connect(place).is_ok()).await;
        Some(registry)
    }

    /// The registry and this repository.
    pub fn name(&self, repository: &str) -> String {
        format!("{}/{repository}", self.place)
    }

    /// Pushes an image without files under a tag. `label` makes its digest another one.
    pub fn push(&self, repository: &str, tag: &str, label: &str) -> String {
        self.push_about(repository, Some(tag), label, None)
    }

    /// The same, as something said about an image; without a tag, it is pushed by its digest.
    pub fn push_about(
        &self,
        repository: &str,
        tag: Option<&str>,
        label: &str,
        subject: Option<&str>,
    ) -> String {
        let config = json!({ "os": "linux", "architecture": "amd64",
            "config": { "Labels": { "label": label } },
            "rootfs": { "type": "layers", "diff_ids": [] } });
        let (digest, size) = self.push_blob(repository, &config);
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "layers": [],
            "config": { "mediaType": CONFIG, "digest": digest, "size": size } });
        if let Some(subject) = subject {
            manifest["subject"] = json!({ "mediaType": IMAGE, "digest": subject, "size": 1 });
        }
        self.put(repository, tag, IMAGE, &manifest)
    }

    /// Pushes the index of what is said about an image, under its fallback tag.
    pub fn push_fallback(&self, repository: &str, subject: &str, papers: &[&str]) -> String {
        let entries = papers.iter().map(|paper| {
            json!({ "mediaType": IMAGE, "digest": paper,
            "size": self.get(repository, paper).expect("a manifest").len() })
        });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX,
            "manifests": entries.collect::<Vec<_>>() });
        self.put(repository, Some(&subject.replace(':', "-")), INDEX, &index)
    }

    /// Gives a tag the image of another one.
    pub fn retag(&self, repository: &str, from: &str, to: &str) {
        let bytes = self.get(repository, from).expect("a manifest");
        self.request("PUT", &manifest_of(repository, to), IMAGE, &bytes);
    }

    /// Deletes a manifest.
    pub fn delete(&self, repository: &str, digest: &str) {
        let (status, _, _) = self.request("DELETE", &manifest_of(repository, digest), "", b"");
        assert_eq!(status, 202);
    }

    /// The manifest of a tag or digest.
    pub fn get(&self, repository: &str, version: &str) -> Option<Vec<u8>> {
        let kinds = format!("{IMAGE}, {INDEX}");
        let (status, _, body) = self.request("GET", &manifest_of(repository, version), &kinds, b"");
        (status == 200).then_some(body)
    }

    fn put(&self, repository: &str, tag: Option<&str>, kind: &str, content: &Value) -> String {
        let bytes = content.to_string().into_bytes();
        let digest = digest_of(&bytes);
        let place = manifest_of(repository, tag.unwrap_or(&digest));
        let (status, _, body) = self.request("PUT", &place, kind, &bytes);
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        digest
    }

    fn push_blob(&self, repository: &str, content: &Value) -> (String, usize) {
        let bytes = content.to_string().into_bytes();
        let digest = digest_of(&bytes);
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let (_, headers, _) = self.request("POST", &uploads, "", b"");
        let place = headers.lines().find_map(|line| line.strip_prefix("Location: "));
        let place = place.expect("a place for the upload").trim();
        let path = place.split_once(&self.place.to_string()).expect("a place here").1;
        let path = format!("{path}&digest={digest}");
        self.request("PUT", &path, "application/octet-stream", &bytes);
        (digest, bytes.len())
    }

    /// Status, headers and body of an answer.
    fn request(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.place).expect("the registry listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\nAccept: \
             {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.place,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("headers");
        let headers = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), headers, answer[end + 4..].to_vec())
    }
}

fn manifest_of(repository: &str, version: &str) -> String {
    format!("/v2/{repository}/manifests/{version}")
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
