//! A Docker Engine and a registry with a password, for tasks of the local cloud. `serve_engine.py` of
//! `tests/containers` starts and ends both; this module gives tests access to them.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout};
use std::sync::Mutex;
use std::time::Duration;

use fargate_local_cloud::{BackendChoice, CloudOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::checked_host::{CheckedHost, agent};
use crate::containers::{end, install, spawn_script, target};

/// Longest wait for the engine's answer.
const ENGINE_TIME: Duration = Duration::from_secs(20);
/// Largest list that is read.
const LIST_BYTES: u64 = 8 * 1024 * 1024;
/// The labels that the local cloud gives its containers.
const FOLDER_LABEL: &str = "fargate-local.folder";
const NAME_LABEL: &str = "com.amazonaws.ecs.container-name";

/// The engine and the registry. They end with this value, or with this process.
#[derive(Debug)]
pub struct TestEngine {
    server: Child,
    said: Mutex<BufReader<ChildStdout>>,
    pid: Mutex<i32>,
    facts: TestEngineFacts,
}

#[derive(Debug, Deserialize)]
struct TestEngineFacts {
    socket: PathBuf,
    pid: i32,
    host_address: IpAddr,
    registry: String,
    image: String,
    image_id: String,
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TestEngineAnswer {
    Stands(TestEngineFacts),
    Missing { missing: String },
}

/// A container that the engine has.
#[derive(Debug)]
pub struct EngineContainer {
    /// The engine's id of it.
    pub id: String,
    /// Its name in the task definition; none for the one that holds a task's network.
    pub name: Option<String>,
    /// `running`, `exited` and so on.
    pub state: String,
    /// The network that it is in. `container:` and an id where another container holds it.
    pub network: String,
}

impl TestEngine {
    /// Installs what is missing, where it may, and starts both: some seconds, and a minute or two the
    /// first time.
    ///
    /// # Errors
    ///
    /// If this machine lacks something; the text says what.
    pub fn start() -> Result<Self, String> {
        install(&[])?;
        let image = target().join("containers/image.tar");
        let mut server = spawn_script("serve_engine.py", &[image, agent()])?;
        let mut said = BufReader::new(server.stdout.take().expect("stdout is piped"));
        match next_answer(&mut said) {
            Ok(TestEngineAnswer::Stands(facts)) => {
                let (said, pid) = (Mutex::new(said), Mutex::new(facts.pid));
                Ok(Self { server, said, pid, facts })
            }
            Ok(TestEngineAnswer::Missing { missing }) => {
                end(&mut server);
                Err(missing)
            }
            Err(what) => {
                end(&mut server);
                Err(what)
            }
        }
    }

    /// Makes a cloud run its tasks here, and its own task definition the image with the agent.
    pub fn choose(&self, options: &mut CloudOptions) {
        let engine = Some(self.socket());
        options.backend = BackendChoice::Docker { engine, image: Some(self.image_id().to_owned()) };
    }

    /// The path of its socket.
    #[must_use]
    pub fn socket(&self) -> String {
        self.facts.socket.display().to_string()
    }

    /// The engine's own id of the image with the agent.
    #[must_use]
    pub fn image_id(&self) -> &str {
        &self.facts.image_id
    }

    /// The image with the agent in the registry, without a tag. It has the tags `1` and, for another
    /// processor, `arm`.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.facts.image
    }

    /// An address by which containers reach this machine.
    #[must_use]
    pub fn host_address(&self) -> IpAddr {
        self.facts.host_address
    }

    /// Host and port of the registry.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.facts.registry
    }

    /// The user and the password of the registry.
    #[must_use]
    pub fn login(&self) -> (&str, &str) {
        (&self.facts.username, &self.facts.password)
    }

    /// Lets tasks of a profile of this host pull the image of the tests: the registry secret, and a template
    /// without the limit of open files, which not every machine lets an engine give. Returns the image.
    ///
    /// # Panics
    ///
    /// If the host cannot be configured.
    #[must_use]
    pub fn private_image(&self, host: &CheckedHost, profile: &str) -> String {
        let (username, password) = self.login();
        let login = json!({ "username": username, "password": password });
        host.cloud().put_secret("ci/registry", &login.to_string()).expect("a login");
        host.set(&format!("{profile}.registry_secret"), "ci/registry");
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../task-definitions/ci.json");
        let text = fs::read_to_string(own).expect("the template");
        let mut template: Value = serde_json::from_str(&text).expect("JSON");
        let container = template["containerDefinitions"][0].as_object_mut().expect("a container");
        container.remove("ulimits").expect("it has the limit");
        let file = host.folder().join("without-ulimits.json");
        fs::write(&file, template.to_string()).expect("a writable folder");
        host.set(&format!("{profile}.task_definition_template"), file.display().to_string());
        format!("{}:1", self.image())
    }

    /// Kills the engine.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn kill(&self) {
        let pid = *self.pid.lock().expect("no test panics here");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("an engine that runs");
    }

    /// Starts the engine again.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_again(&self) {
        let mut input = self.server.stdin.as_ref().expect("stdin is piped");
        input.write_all(b"start\n").expect("a script that reads");
        let mut said = self.said.lock().expect("no test panics here");
        match next_answer(&mut *said) {
            Ok(TestEngineAnswer::Stands(facts)) => {
                *self.pid.lock().expect("no test panics here") = facts.pid;
            }
            Ok(TestEngineAnswer::Missing { missing }) => panic!("{missing}"),
            Err(what) => panic!("{what}"),
        }
    }

    /// Every container of the local cloud with this folder, those that ended as well.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn containers(&self, folder: &Path) -> io::Result<Vec<EngineContainer>> {
        let list = self.list("/containers/json?all=true")?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let container = |one: &Value| EngineContainer {
            id: text(&one["Id"]).unwrap_or_default(),
            name: text(&one["Labels"][NAME_LABEL]),
            state: text(&one["State"]).unwrap_or_default(),
            network: text(&one["HostConfig"]["NetworkMode"]).unwrap_or_default(),
        };
        let all = list.as_array().into_iter().flatten();
        Ok(all.filter(|one| is_of(one, folder)).map(container).collect())
    }

    /// The names of every network of the local cloud with this folder.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn networks(&self, folder: &Path) -> io::Result<Vec<String>> {
        Ok(names_of(&self.list("/networks")?, folder))
    }

    /// All that the engine tells of a container.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn inspect(&self, id: &str) -> io::Result<Value> {
        self.list(&format!("/containers/{id}/json"))
    }

    /// The names of every container, network and volume of the local cloud with this folder.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn leftovers(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names: Vec<_> = self.containers(folder)?.into_iter().map(|one| one.id).collect();
        names.extend(self.networks(folder)?);
        names.extend(names_of(&self.list("/volumes")?["Volumes"], folder));
        Ok(names)
    }

    /// Kills a container, as the kernel does when memory runs out.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn kill_container(&self, id: &str) -> io::Result<()> {
        self.ask("POST", &format!("/containers/{id}/kill")).map(drop)
    }

    /// The tags of all images.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn image_tags(&self) -> io::Result<Vec<String>> {
        let list = self.list("/images/json")?;
        let tags =
            list.as_array().into_iter().flatten().filter_map(|one| one["RepoTags"].as_array());
        Ok(tags.flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The ids of the containers with this label, those that ended as well.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn containers_with(&self, label: &str) -> io::Result<Vec<String>> {
        let list = self.list("/containers/json?all=true")?;
        let all = list.as_array().into_iter().flatten();
        let with = all.filter(|one| !one["Labels"][label].is_null());
        Ok(with.filter_map(|one| one["Id"].as_str().map(str::to_owned)).collect())
    }

    /// Removes the images of a repository, whatever their tags; gives how many there were.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn remove_images(&self, repository: &str) -> io::Result<usize> {
        let list = self.list("/images/json")?;
        let tags =
            list.as_array().into_iter().flatten().filter_map(|one| one["RepoTags"].as_array());
        let tags = tags.flatten().filter_map(Value::as_str);
        let own =
            tags.filter(|tag| tag.rsplit_once(':').is_some_and(|(name, _)| name == repository));
        let removed = own.map(|tag| self.ask("DELETE", &format!("/images/{tag}")));
        removed.collect::<io::Result<Vec<_>>>().map(|all| all.len())
    }

    fn list(&self, path: &str) -> io::Result<Value> {
        let answer = self.ask("GET", path)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        Ok(serde_json::from_str(body)?)
    }

    fn ask(&self, method: &str, path: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.facts.socket)?;
        stream.set_read_timeout(Some(ENGINE_TIME))?;
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: engine\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(LIST_BYTES).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// The names of what is of this folder, in a list of networks or volumes.
fn names_of(list: &Value, folder: &Path) -> Vec<String> {
    let all = list.as_array().into_iter().flatten().filter(|one| is_of(one, folder));
    all.filter_map(|one| one["Name"].as_str().map(str::to_owned)).collect()
}

fn is_of(one: &Value, folder: &Path) -> bool {
    one["Labels"][FOLDER_LABEL].as_str().map(Path::new) == Some(folder)
}

fn next_answer(said: &mut impl BufRead) -> Result<TestEngineAnswer, String> {
    let mut line = String::new();
    let read = said.read_line(&mut line);
    serde_json::from_str(&line)
        .map_err(|error| format!("serve_engine.py answered {read:?} {line:?}: {error}"))
}

impl Drop for TestEngine {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}
