//! Debian's `docker-registry` with a password file, and images pushed to it by plain HTTP.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::neighbour::have;
use crate::place::free_place;
use crate::wait::until;

/// The one user.
pub const USER: &str = "ci";
/// The password of [`USER`].
pub const PASSWORD: &str = "open-sesame-4711";
/// The line of the password file: bcrypt, as the registry asks for it.
const HTPASSWD: &str = "ci:$2b$04$8aZtHBstJD4ANrNN15GfIe128ncfoO7Ok32SQOvwBXLdiNa.33.0q\n";
/// The password of [`USER`] at another registry.
pub const OTHER_PASSWORD: &str = "far-away-0815";
const OTHER_HTPASSWD: &str = "ci:$2b$04$G5a7zD8j5b4h0W1JW37NbeFA7vH7zKq0o6nEz3ddorTCVf74/Ogce\n";
/// [`USER`] and [`OTHER_PASSWORD`] as HTTP sends them.
pub const OTHER_AUTHORIZATION: &str = "Basic Y2k6ZmFyLWF3YXktMDgxNQ==";
/// `USER:PASSWORD` as HTTP sends it.
pub const AUTHORIZATION: &str = "Basic Y2k6b3Blbi1zZXNhbWUtNDcxMQ==";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A registry that asks everybody for the password. It ends when this is dropped.
pub struct ImageRegistry {
    place: SocketAddr,
    process: Child,
    /// The login of its own requests.
    authorization: &'static str,
    folder: TempDir,
}

impl Drop for ImageRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl ImageRegistry {
    /// Starts it; `None` where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start() -> Option<Self> {
        Self::start_with(HTPASSWD, AUTHORIZATION).await
    }

    /// The same with [`OTHER_PASSWORD`].
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_other() -> Option<Self> {
        Self::start_with(OTHER_HTPASSWD, OTHER_AUTHORIZATION).await
    }

    async fn start_with(htpasswd: &str, authorization: &'static str) -> Option<Self> {
        if !have("docker-registry") {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("registry-").tempdir().expect("a folder");
        let place = free_place();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("htpasswd"), htpasswd).expect("a writable folder");
        let config = json!({
            "version": "0.1",
            "log": { "level": "error" },
            "storage": { "filesystem": { "rootdirectory": path("data") } },
            "http": { "addr": place.to_string() },
            "auth": { "htpasswd": { "realm": "a test", "path": path("htpasswd") } },
        });
        // JSON is YAML.
        fs::write(path("config.yml"), config.to_string()).expect("a writable folder");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(path("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a program that can be started");
        let registry = Self { place, process, authorization, folder };
        until("the registry listens", || TcpStream::connect(place).is_ok()).await;
        Some(registry)
    }

    /// What stands before the `/` of an image here.
    #[must_use]
    pub fn host(&self) -> String {
        self.place.to_string()
    }

    /// Pushes an image without files for this processor, under a tag. Gives its digest.
    ///
    /// # Panics
    ///
    /// If the registry refuses it.
    pub fn push(&self, repository: &str, tag: &str, architecture: &str) -> String {
        self.push_labelled(repository, tag, architecture, "")
    }

    /// The same with a label, so that images differ.
    ///
    /// # Panics
    ///
    /// If the registry refuses it.
    pub fn push_labelled(
        &self,
        repository: &str,
        tag: &str,
        architecture: &str,
        label: &str,
    ) -> String {
        let config = json!({ "os": "linux", "architecture": architecture, "rootfs":
            { "type": "layers", "diff_ids": [] }, "config": { "Labels": { "test": label } } });
        let (digest, size) = self.push_blob(repository, &config);
        let manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "layers": [],
            "config": { "mediaType": CONFIG, "digest": digest, "size": size } });
        self.push_manifest(repository, tag, IMAGE, &manifest).0
    }

    /// The digest that a tag has now, and the media type of its manifest; `None` if there is no such tag.
    ///
    /// # Panics
    ///
    /// If the registry does not answer.
    #[must_use]
    pub fn digest_of_tag(&self, repository: &str, tag: &str) -> Option<(String, String)> {
        let (headers, body) = self.answer("GET", &manifest_of(repository, tag), IMAGE, b"");
        let status = headers.split(' ').nth(1).unwrap_or_default();
        let kind = headers.lines().find_map(|line| line.strip_prefix("Content-Type: "));
        (status == "200").then(|| (digest_of(&body), kind.unwrap_or_default().to_owned()))
    }

    /// The bytes of the manifest that a tag or digest has now; `None` if there is none.
    ///
    /// # Panics
    ///
    /// If the registry does not answer.
    #[must_use]
    pub fn manifest(&self, repository: &str, version: &str) -> Option<Vec<u8>> {
        let kinds = format!("{IMAGE}, {INDEX}");
        let (headers, body) = self.answer("GET", &manifest_of(repository, version), &kinds, b"");
        (headers.split(' ').nth(1) == Some("200")).then_some(body)
    }

    /// The bytes of a blob.
    ///
    /// # Panics
    ///
    /// If the registry does not have it.
    #[must_use]
    pub fn blob(&self, repository: &str, digest: &str) -> Vec<u8> {
        self.request("GET", &format!("/v2/{repository}/blobs/{digest}"), "", b"").1
    }

    /// The tags of a repository, sorted; none if there is no such repository.
    ///
    /// # Panics
    ///
    /// If the registry does not answer.
    #[must_use]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let (_, body) = self.answer("GET", &format!("/v2/{repository}/tags/list"), "", b"");
        let list: Value = serde_json::from_slice(&body).expect("JSON");
        let tags = list["tags"].as_array().cloned().unwrap_or_default();
        let mut tags: Vec<_> =
            tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
        tags.sort();
        tags
    }

    /// How many uploads of a repository were begun and neither finished nor ended.
    #[must_use]
    pub fn open_uploads(&self, repository: &str) -> usize {
        let below = format!("data/docker/registry/v2/repositories/{repository}/_uploads");
        let Ok(folders) = fs::read_dir(self.folder.path().join(below)) else { return 0 };
        // An upload that was ended leaves its folder behind, without this file.
        let is_open = |folder: &fs::DirEntry| folder.path().join("startedat").exists();
        folders.filter(|folder| folder.as_ref().is_ok_and(is_open)).count()
    }

    /// Gives another tag to what has this one.
    ///
    /// # Panics
    ///
    /// If the registry refuses it.
    pub fn retag(&self, repository: &str, tag: &str, other: &str) {
        let (_, bytes) = self.request("GET", &manifest_of(repository, tag), IMAGE, b"");
        self.request("PUT", &manifest_of(repository, other), IMAGE, &bytes);
    }

    /// Pushes an index of images for these processors, under a tag. Gives its digest.
    ///
    /// # Panics
    ///
    /// If the registry refuses it.
    pub fn push_index(&self, repository: &str, tag: &str, architectures: &[&str]) -> String {
        let entry = |architecture: &&str| {
            let digest = self.push(repository, architecture, architecture);
            let size = self.request("GET", &manifest_of(repository, &digest), IMAGE, b"").1.len();
            json!({ "mediaType": IMAGE, "digest": digest, "size": size,
                "platform": { "os": "linux", "architecture": architecture } })
        };
        let entries: Vec<_> = architectures.iter().map(entry).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        self.push_manifest(repository, tag, INDEX, &index).0
    }

    fn push_blob(&self, repository: &str, content: &Value) -> (String, usize) {
        let bytes = content.to_string().into_bytes();
        let digest = digest_of(&bytes);
        let (headers, _) =
            self.request("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
        let place = headers
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .expect("a place for the upload");
        let path = place.trim().split_once(&self.host()).expect("a place here").1;
        let kind = "application/octet-stream";
        self.request("PUT", &format!("{path}&digest={digest}"), kind, &bytes);
        (digest, bytes.len())
    }

    fn push_manifest(
        &self,
        repository: &str,
        tag: &str,
        kind: &str,
        content: &Value,
    ) -> (String, usize) {
        let bytes = content.to_string().into_bytes();
        self.request("PUT", &manifest_of(repository, tag), kind, &bytes);
        (digest_of(&bytes), bytes.len())
    }

    /// One request with the login. Gives the headers and the body of an answer that is no error.
    fn request(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (String, Vec<u8>) {
        let (headers, answer) = self.answer(method, path, kind, body);
        let status = headers.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path}: {headers}");
        (headers, answer)
    }

    fn answer(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.place).expect("the registry listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Type: \
             {kind}\r\nAccept: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.host(),
            self.authorization,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("headers");
        let headers = String::from_utf8_lossy(&answer[..end]).into_owned();
        (headers, answer[end + 4..].to_vec())
    }
}

fn manifest_of(repository: &str, version: &str) -> String {
    format!("/v2/{repository}/manifests/{version}")
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
