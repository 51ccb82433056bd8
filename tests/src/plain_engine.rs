//! A Docker Engine for one test program, with nothing on it. It can publish ports and make networks.
//!
//! `tests/containers/serve_plain_engine.py` starts and ends it.

use std::io;
use std::path::PathBuf;
use std::process::Child;

use serde::Deserialize;
use serde_json::Value;

use crate::containers::{end, install_python, serve};
use crate::engine_socket::ask_engine;

/// The networks that each engine has.
const OWN_NETWORKS: [&str; 3] = ["bridge", "host", "none"];

/// The engine. It ends with this value, or with this process.
#[derive(Debug)]
pub struct PlainEngine {
    server: Child,
    docker_host: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PlainEngineAnswer {
    Stands { docker_host: String },
    Missing { missing: String },
}

impl PlainEngine {
    /// Starts it, in a second or two.
    ///
    /// # Errors
    ///
    /// If this machine lacks something; the text says what.
    pub fn start() -> Result<Self, String> {
        install_python()?;
        match serve("serve_plain_engine.py", &[])? {
            (server, PlainEngineAnswer::Stands { docker_host }) => Ok(Self { server, docker_host }),
            (mut server, PlainEngineAnswer::Missing { missing }) => {
                end(&mut server);
                Err(missing)
            }
        }
    }

    /// What `DOCKER_HOST` says to reach it.
    #[must_use]
    pub fn docker_host(&self) -> &str {
        &self.docker_host
    }

    /// The containers (also those that ended), networks and volumes that are on it, by their names.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn contents(&self) -> io::Result<Vec<String>> {
        let containers = self.names("/containers/json?all=1", "", "/Names/0")?;
        let mut networks = self.names("/networks", "", "/Name")?;
        networks.retain(|name| !OWN_NETWORKS.contains(&name.as_str()));
        let volumes = self.names("/volumes", "/Volumes", "/Name")?;
        Ok([containers, networks, volumes].concat())
    }

    /// The tags of all images.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn image_tags(&self) -> io::Result<Vec<String>> {
        let images = self.ask("/images/json")?;
        let tags = images.as_array().into_iter().flatten().flat_map(|image| {
            let tags = image["RepoTags"].as_array().cloned().unwrap_or_default();
            tags.into_iter().filter_map(|tag| tag.as_str().map(str::to_owned))
        });
        Ok(tags.collect())
    }

    /// What the engine knows of an image.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn image(&self, tag: &str) -> io::Result<Value> {
        self.ask(&format!("/images/{tag}/json"))
    }

    fn names(&self, path: &str, list: &str, name: &str) -> io::Result<Vec<String>> {
        let answer = self.ask(path)?;
        let items = answer.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let name = |item: &Value| item.pointer(name).and_then(Value::as_str).map(str::to_owned);
        Ok(items.iter().map(|item| name(item).unwrap_or_else(|| item.to_string())).collect())
    }

    fn ask(&self, path: &str) -> io::Result<Value> {
        let socket = self.docker_host.trim_start_matches("unix://");
        ask_engine(&PathBuf::from(socket), path)
    }
}

impl Drop for PlainEngine {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}
