//! Accounts in ministack and moto, made and broken by `tests/preflight/serve_accounts.py`.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fargate_local_cloud::LocalCloud;
use fargate_tests::{
    EcsEmulator, SESSION_VARIABLES, ScriptServer, free_place, python, quota_cloud, runner,
    until_found,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The account's number in all of them.
const ACCOUNT: &str = "123456789012";

/// The emulators, and the process that makes accounts in them. All end with this value.
pub struct EmulatedAccounts {
    ministack: EcsEmulator,
    moto: Child,
    moto_url: String,
    maker: ScriptServer,
    folder: TempDir,
}

impl EmulatedAccounts {
    /// `None` after saying why they cannot be had here. In CI nothing is skipped.
    pub async fn start() -> Option<Self> {
        let python = python()?;
        let ministack = EcsEmulator::start().await?;
        let (moto, moto_url) = start_moto(&python).await;
        let places = [ministack.endpoint(), &moto_url];
        let maker = ScriptServer::start(&python, "preflight/serve_accounts.py", &places);
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self { ministack, moto, moto_url, maker, folder })
    }

    /// The names of all breaks.
    pub async fn breaks(&mut self) -> Vec<String> {
        let names = self.maker.ask("list").await;
        let names = names.as_array().expect("a list").iter();
        names.map(|name| name.as_str().expect("a text").to_owned()).collect()
    }

    /// A new account, broken in this way; `good` is not broken.
    pub async fn account(&mut self, name: &str) -> EmulatedAccount {
        let described = self.maker.ask(name).await;
        let place = self.folder.path().join(described["name"].as_str().expect("a text"));
        std::fs::create_dir_all(&place).expect("a folder");
        let config = place.join("config.toml");
        std::fs::write(&config, configuration(&described, &place)).expect("a writable folder");
        let mut command = Command::new(runner());
        command.env_clear().stdin(Stdio::null());
        command.env("AWS_ENDPOINT_URL", self.ministack.endpoint());
        command.env("AWS_ENDPOINT_URL_EC2", &self.moto_url);
        command.env("AWS_ENDPOINT_URL_EFS", &self.moto_url);
        for name in SESSION_VARIABLES {
            command.env(name, described["keys"][name].as_str().expect("a text"));
        }
        let quotas = quota_cloud(&described["keys"]).await;
        command.env("AWS_ENDPOINT_URL_SERVICE_QUOTAS", quotas.endpoint());
        command.arg("-c").arg(&config).args(["check", "--format", "json"]);
        // moto answers questions about what it does not have with an inner error, which is asked again.
        command.args(["--deadline", "8s"]);
        command.args(["--manager-group", described["manager_group"].as_str().expect("a text")]);
        let flags = described["changed"]["flags"].as_array().cloned().unwrap_or_default();
        command.args(flags.iter().map(|flag| flag.as_str().expect("a text")));
        EmulatedAccount { described, config, command, _quotas: quotas }
    }
}

impl Drop for EmulatedAccounts {
    fn drop(&mut self) {
        let _ = self.moto.start_kill();
    }
}

/// One account, and the command that checks it.
pub struct EmulatedAccount {
    /// Its ids.
    pub described: Value,
    config: PathBuf,
    command: Command,
    _quotas: LocalCloud,
}

impl EmulatedAccount {
    /// The same configuration, but for its Region.
    pub fn in_region(self, region: &str) -> Self {
        let text = std::fs::read_to_string(&self.config).expect("a file");
        let mut file: toml::Table = text.parse().expect("TOML");
        file["defaults"]["region"] = region.into();
        std::fs::write(&self.config, file.to_string()).expect("a writable file");
        self
    }

    /// Runs `check`; its exit code and its report.
    pub async fn checked(mut self) -> (Option<i32>, Value) {
        let output = self.command.output().await.expect("it runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!words.contains("hunter2"), "a secret in {words}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains("hunter2"), "a secret in {text}");
        let report = serde_json::from_str(&text);
        (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {text}{words}")))
    }
}

async fn start_moto(python: &Path) -> (Child, String) {
    let place = free_place();
    let program: PathBuf = python.with_file_name("moto_server");
    let mut moto = Command::new(python);
    moto.arg(program).args(["-H", &place.ip().to_string(), "-p", &place.port().to_string()]);
    moto.env("MOTO_ACCOUNT_ID", ACCOUNT).kill_on_drop(true);
    let moto = moto.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let moto = moto.expect("it was installed");
    until_found("moto", || async {
        TcpStream::connect(place).map(drop).map_err(|error| error.to_string())
    })
    .await;
    (moto, format!("http://{place}"))
}

/// The configuration for the account, with what its break changes.
fn configuration(account: &Value, place: &Path) -> String {
    let text = |key: &str| account[key].as_str().expect("a text").to_owned();
    let mut defaults = toml::toml! {
        pin_image = false
        volumes = ["cache"]
    };
    let strings = |key: &str| {
        let all = account[key].as_array().expect("a list").iter();
        toml::Value::Array(all.map(|it| it.as_str().expect("a text").into()).collect())
    };
    for (key, from) in [
        ("cluster", "cluster"),
        ("region", "region"),
        ("image", "image"),
        ("registry_secret", "secret"),
        ("execution_role", "execution_role"),
        ("task_role", "task_role"),
        ("log_group", "log_group"),
    ] {
        defaults.insert(key.to_owned(), text(from).into());
    }
    defaults.insert("subnets".to_owned(), strings("subnets"));
    defaults.insert("security_groups".to_owned(), vec![text("task_group")].into());
    merge(&mut defaults, &account["changed"]["config"]);
    let mut volume = toml::toml! { path = "/cache" };
    volume.insert("file_system".to_owned(), text("file_system").into());
    volume.insert("access_point".to_owned(), text("access_point").into());
    merge(&mut volume, &account["changed"]["volume"]);
    let mut file = toml::toml! { config_version = 1 };
    file.insert("state_dir".to_owned(), place.join("state").display().to_string().into());
    file.insert("serve".to_owned(), toml::toml! { job_slots = 4 }.into());
    file.insert("defaults".to_owned(), defaults.into());
    let mut volumes = toml::Table::new();
    volumes.insert("cache".to_owned(), volume.into());
    file.insert("volume".to_owned(), volumes.into());
    file.to_string()
}

fn merge(table: &mut toml::Table, changes: &Value) {
    for (key, value) in changes.as_object().into_iter().flatten() {
        let value = toml::Value::try_from(value).expect("no null");
        table.insert(key.clone(), value);
    }
}
