//! A PostgreSQL of this test program, as an unprivileged user, on loopback, with a folder of its own.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::neighbour::skip;
use crate::wait::until_found;

/// The user `nobody` of Linux: initdb refuses root.
const NOBODY: u32 = 65534;
/// Ends with its stdin, so that it does not outlive the tests, whatever ends them.
const SERVE: &str = r#"set -e
"$1/initdb" -D "$2/data" -U ci -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$2/log" 2>&1
"$1/postgres" -D "$2/data" -c listen_addresses=127.0.0.1 -c port="$3" -c unix_socket_directories= \
    -c fsync=off -c max_connections=200 -c shared_buffers=16MB >>"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server || true
rm -rf "$2"
"#;

struct PostgresServer {
    programs: PathBuf,
    port: u16,
    /// It lives as long as this holds its stdin.
    _process: Child,
}

/// The programs, where Debian puts them.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.pop().filter(|folder| folder.join("initdb").is_file())
}

fn server() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    SERVER.get_or_init(|| programs().map(PostgresServer::start)).as_ref()
}

impl PostgresServer {
    fn start(programs: PathBuf) -> Self {
        let folder =
            tempfile::Builder::new().prefix("postgres-").tempdir().expect("a folder").keep();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        drop(listener);
        let mut command = Command::new("sh");
        command.args(["-c", SERVE, "serve"]).arg(&programs).arg(&folder).arg(port.to_string());
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root");
            command.uid(NOBODY).gid(NOBODY);
        }
        let command = command.current_dir("/").process_group(0).stdin(Stdio::piped());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self { programs, port, _process: process.expect("a shell") }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let port = self.port.to_string();
        let mut command = Command::new(self.programs.join(program));
        command.args(["-h", "127.0.0.1", "-p", &port, "-U", "ci"]).args(arguments);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut said = String::new();
        let _ = child.stderr.take().expect("piped").read_to_string(&mut said);
        let status = child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(said) }
    }
}

/// The URL of a new database; `None` after saying why there is none.
pub async fn new_postgres_database() -> Option<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(server) = server() else {
        skip("PostgreSQL is not installed; tests/neighbours.sh installs it");
        return None;
    };
    let name = format!("history_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    until_found("PostgreSQL makes a database", || async {
        let made = server.run("createdb", &[&name]);
        made.or_else(|said| if said.contains("already exists") { Ok(()) } else { Err(said) })
    })
    .await;
    Some(format!("postgres://ci@127.0.0.1:{}/{name}", server.port))
}

/// Runs SQL against a database of [`new_postgres_database`], as somebody else would.
///
/// # Errors
///
/// What psql says.
///
/// # Panics
///
/// If there is no PostgreSQL, or this is no URL.
pub fn run_postgres_sql(url: &str, sql: &str) -> Result<(), String> {
    let server = server().expect("there is a database");
    let name = url.rsplit('/').next().expect("a name");
    server.run("psql", &["-d", name, "-v", "ON_ERROR_STOP=1", "-c", sql])
}
