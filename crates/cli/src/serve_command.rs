//! `serve`: the page and the API of this host, and the ingest of its journals. The address goes to stdout,
//! words to stderr.
//!
//! Three threads: one answers requests, one reads the history and keeps it up to date, and one looks after the
//! tasks of the host (`serve_daemon`). So a question that takes long delays neither health nor drivers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fargate_config::{LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_controller::HostControl;
use fargate_files::FileError;
use fargate_history::{
    HistoryError, HistoryLocation, HistoryStore, IngestSettings, JournalIngest, KnownTask,
};
use fargate_model::text::{error_chain, shell_word};
use fargate_state::StateFolder;
use fargate_status_api::access::access_token::new_token;
use fargate_status_api::{
    ConnectionLimits, OutsideDuties, StatusService, follow, history_location, router, run_duties,
    serve,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::serve_args::{ServeAction, StatusServeArgs, TokenArgs};
use crate::streams::{tell, to_stdout, unwritten};
use crate::{config_command, folder_owner, log, serve_daemon, serve_settings, service_notice};

/// What stands in for a configuration that is not there. No job runs with it, and no page shows its values.
const NOTHING_CONFIGURED: &str = "config_version = 1\n[defaults]\ncluster = \"none\"\n\
     subnets = [\"subnet-0\"]\nsecurity_groups = [\"sg-0\"]\ntask_definition = \"none\"\n";
/// Pause after a history that could not be opened.
const OPEN_AGAIN: Duration = Duration::from_secs(5);
/// Connections that one address of another machine may have.
const OF_ONE_ADDRESS: usize = 1000;

/// Runs it.
pub fn run(global: &GlobalFlags, args: &StatusServeArgs) -> CommandExit {
    let done = match &args.action {
        Some(ServeAction::Token(token)) => make_token(token),
        None => serve_until_told(global, args),
    };
    done.unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

/// Prints a token once. Nothing keeps it.
fn make_token(args: &TokenArgs) -> Result<CommandExit, String> {
    let (token, sha256) = new_token().map_err(|error| format!("drawing a token: {error}"))?;
    to_stdout(&token).map_err(unwritten)?;
    let (name, role) = (&args.name, args.role.word());
    tell!(
        "This token is shown once and kept nowhere. Add its hash to `tokens` in `[serve]` of the \
         configuration file, then start `fargate-runner serve` again:\n\
         tokens = [{{ name = {name:?}, role = \"{role}\", sha256 = \"{sha256}\" }}]"
    );
    Ok(CommandExit::Done)
}

/// The configuration, and what is missing in it. Without a file there is a page all the same.
struct ServedConfig {
    config: RunnerConfig,
    path: PathBuf,
    missing: Vec<String>,
}

fn configuration(global: &GlobalFlags) -> Result<ServedConfig, String> {
    let path = config_command::path(global);
    if !path.exists() && global.config.is_none() {
        let empty = fargate_config::parse(NOTHING_CONFIGURED, &path, UnknownKeyPolicy::Warn);
        let LoadedConfig { config, .. } = empty.map_err(|error| error.to_string())?;
        tell!(
            "warning: there is no configuration file {}; the page says what is missing",
            path.display()
        );
        let missing = ["cluster", "subnets", "security_groups", "task_definition"];
        return Ok(ServedConfig { config, path, missing: missing.map(str::to_owned).to_vec() });
    }
    let (path, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Refuse)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    Ok(ServedConfig { config, path, missing: Vec::new() })
}

/// Where this host keeps its history, and as whom it writes.
struct ServedHost {
    history: HistoryLocation,
    ingest: Option<IngestSettings>,
    control: Option<HostControl>,
    name: String,
    /// A folder that ends with this process, where there is no state folder.
    _passing: Option<PassingFolder>,
}

/// A folder that is removed at the end.
struct PassingFolder(PathBuf);

impl Drop for PassingFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl ServedHost {
    fn of(config: &RunnerConfig, runtime: &Runtime) -> Result<Self, String> {
        let root = &config.state_dir;
        if !root.exists() {
            return Self::passing(config);
        }
        folder_owner::by_this_user(root)?;
        let lock = fargate_config::JobTimeouts::default().state_lock;
        let words = |error: fargate_state::StateError| {
            let hint = folder_owner::hint(&error, root).map(|hint| format!("\nhint: {hint}"));
            format!("{}{}", error_chain(&error), hint.unwrap_or_default())
        };
        // It may be new and empty: systemd makes it (StateDirectory) before any job ran.
        let folder = StateFolder::open(root, lock).map_err(words)?;
        let configured = config.owner.as_deref();
        let owner = runtime.block_on(folder.owner(configured)).map_err(words)?.owner.to_string();
        let kept = &config.history;
        let days = |days: u32| Duration::from_hours(24 * u64::from(days));
        let ingest = IngestSettings {
            host: owner.clone(),
            owner: owner.clone(),
            state_dir: root.clone(),
            prices: config.prices.prices(),
            keep: days(kept.keep_days),
            keep_audit: days(kept.keep_audit_days),
        };
        Ok(Self {
            history: history_location(config),
            ingest: Some(ingest),
            control: Some(HostControl::of(root, lock).map_err(words)?),
            name: owner,
            _passing: None,
        })
    }

    /// A host whose state folder does not exist: it ran no job. Nothing is made in the place of the folder,
    /// because it would belong to the wrong user.
    fn passing(config: &RunnerConfig) -> Result<Self, String> {
        tell!(
            "warning: the state folder {} does not exist, so there are no jobs to show",
            config.state_dir.display()
        );
        let token = fargate_model::random::token();
        let token = token.map_err(|error| format!("drawing a name: {error}"))?;
        let folder = std::env::temp_dir().join(format!("fargate-runner-{token}"));
        make_private(&folder).map_err(|error| format!("making {}: {error}", folder.display()))?;
        Ok(Self {
            history: HistoryLocation::Sqlite(folder.join("history.db")),
            ingest: None,
            control: None,
            name: config.owner.clone().unwrap_or_else(|| "this host".to_owned()),
            _passing: Some(PassingFolder(folder)),
        })
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder)
}

fn serve_until_told(global: &GlobalFlags, args: &StatusServeArgs) -> Result<CommandExit, String> {
    let ServedConfig { config, path, missing } = configuration(global)?;
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "serve".into())]);
    let listen = serve_settings::listen_address(&config, args.listen)?;
    let (runtime, workers) = (new_runtime()?, new_runtime()?);
    let host = ServedHost::of(&config, &workers)?;
    let missing = serve_settings::missing(missing, &path);
    let settings = serve_settings::of(&config, &path, &host.name, missing, args.demo)?;
    let duties = serve_settings::duties(&config, &host.name);
    raise_file_limit();
    let (end, until) = watch::channel(false);
    let ServedHost { history, ingest, control, _passing, .. } = host;
    let daemon = match &ingest {
        Some(_) => serve_daemon::claim(&config, global.profile.as_deref())?,
        None => None,
    };
    let daemon = daemon.map(|daemon| Ok::<_, String>((daemon, new_runtime()?))).transpose()?;
    let carers = daemon.as_ref().map(|(_, runtime)| runtime.handle().clone());
    let threads = std::iter::once(workers.handle().clone()).chain(carers).collect();
    let service = StatusService::new(settings, control, workers.handle().clone(), until.clone());
    let service = Arc::new(service.map_err(|error| format!("drawing random bits: {error}"))?);
    let limits = ConnectionLimits {
        all: usize::try_from(config.serve.max_connections).unwrap_or(usize::MAX),
        of_one_address: OF_ONE_ADDRESS,
    };
    // Bound before the threads begin: runtimes must not end within a runtime.
    let listener = runtime.block_on(listen_at(listen))?;
    let address = listener.local_addr().map_err(|error| format!("listening: {error}"))?;
    let (known_tasks, tasks) = watch::channel(None);
    let kept = KeptHistory { location: history, ingest, tasks };
    let keeper = keep_history(workers, Arc::clone(&service), kept, duties, end.clone());
    let carer = daemon.map(|daemon| {
        let learners = (Arc::clone(&service), known_tasks);
        serve_daemon::start(daemon, config.state_dir.clone(), learners, &until)
    });
    let served = runtime.block_on(async {
        // Whoever reads the address may end the service at once.
        let signals = end_by_signal(end.clone())?;
        to_stdout(&format!("http://{address}/")).map_err(unwritten)?;
        service_notice::tell_ready();
        tell!("serving at http://{address}/; Ctrl-C ends it");
        let serving = serve(listener, router(&service), limits, until);
        tokio::select! {
            () = serving => {}
            () = signals => {}
            () = service_notice::tell_alive(threads) => {}
        }
        Ok::<_, String>(())
    });
    end.send_replace(true);
    if let Some(carer) = carer {
        carer.join().map_err(|_| "the thread of the daemon ended by a bug".to_owned())?;
    }
    let kept = keeper.join().map_err(|_| "the thread of the history ended by a bug".to_owned())?;
    served.and(kept)
}

fn new_runtime() -> Result<Runtime, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("starting an event loop: {error}"))
}

async fn listen_at(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "\nhint: another program listens there; `--listen 127.0.0.1:0` takes any free port"
            }
            std::io::ErrorKind::PermissionDenied => {
                "\nhint: ports below 1024 need root; take another one, or a proxy in front"
            }
            _ => "",
        };
        format!("listening at {address}: {error}{hint}")
    })
}

/// Listens for signals from now on. What it returns ends the service at SIGTERM and SIGINT, and never ends itself.
fn end_by_signal(end: watch::Sender<bool>) -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("listening for signals: {error}"));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            service_notice::tell_end();
            end.send_replace(true);
        }
    })
}

/// As many connections as the configuration allows need as many file descriptors.
fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Without it, fewer connections are accepted at one time.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// What the thread of the history needs.
struct KeptHistory {
    location: HistoryLocation,
    ingest: Option<IngestSettings>,
    /// What ECS says of this host's tasks.
    tasks: watch::Receiver<Option<Vec<KnownTask>>>,
}

/// The thread that reads the history and keeps it up to date, tells people what they must act on, and asks
/// gitlab-runner for its numbers. It ends the service if it cannot go on.
fn keep_history(
    runtime: Runtime,
    service: Arc<StatusService>,
    kept: KeptHistory,
    duties: OutsideDuties,
    end: watch::Sender<bool>,
) -> JoinHandle<Result<CommandExit, String>> {
    std::thread::spawn(move || {
        let kept = runtime.block_on(async {
            let duties = run_duties(Arc::clone(&service), duties);
            let history = async {
                let kept = history_until_end(&service, kept, end.subscribe()).await;
                end.send_replace(true);
                kept
            };
            tokio::join!(history, duties).0
        });
        end.send_replace(true);
        runtime.shutdown_timeout(Duration::from_secs(1));
        kept.map(|()| CommandExit::Done)
    })
}

async fn history_until_end(
    service: &Arc<StatusService>,
    kept: KeptHistory,
    mut until: watch::Receiver<bool>,
) -> Result<(), String> {
    let KeptHistory { location, ingest, tasks } = kept;
    let Some(store) = open_history(service, &location, &mut until).await else {
        // A newer version made it: there is no history, and everything else goes on.
        let _ = until.wait_for(|is_over| *is_over).await;
        return Ok(());
    };
    let claimed = ingest.map(|settings| JournalIngest::claim(store.clone(), settings)).transpose();
    let ingest = match claimed {
        Ok(ingest) => ingest,
        Err(error) => {
            store.close().await;
            return Err(taken_words(&error));
        }
    };
    service.set_history(Ok(store.clone()));
    let following = follow(Arc::clone(service), store.clone());
    match ingest {
        Some(ingest) => {
            let ingest = ingest.learning_from(tasks);
            service.set_ingest(ingest.condition());
            let over = async { drop(until.wait_for(|is_over| *is_over).await) };
            tokio::join!(following, ingest.run(over));
        }
        None => following.await,
    }
    store.close().await;
    Ok(())
}

fn taken_words(error: &FileError) -> String {
    match error {
        FileError::Held { .. } => "another `fargate-runner serve` keeps the history of this host\n\
             hint: stop it first; one of them serves all pages"
            .to_owned(),
        error => error_chain(error),
    }
}

/// Opens the history, again and again until `until` is true. `None`: this version cannot use it, or the service
/// ends. An attempt is not broken off: it would leave files of a half-made database.
async fn open_history(
    service: &Arc<StatusService>,
    location: &HistoryLocation,
    until: &mut watch::Receiver<bool>,
) -> Option<HistoryStore> {
    let mut told = String::new();
    loop {
        match HistoryStore::open(location).await {
            Ok(opened) => {
                if let Some(aside) = &opened.moved_aside {
                    let aside = shell_word(&aside.display().to_string());
                    tell!(
                        "warning: the history was damaged; it is kept at {aside} and being rebuilt"
                    );
                }
                return Some(opened.store);
            }
            Err(error) => {
                let words = error_chain(&error);
                if words != told {
                    tell!("warning: the history at {location} cannot be used: {words}");
                    told.clone_from(&words);
                }
                service.set_history(Err(words));
                if matches!(error, HistoryError::NewerSchema { .. }) {
                    return None;
                }
            }
        }
        if tokio::time::timeout(OPEN_AGAIN, until.wait_for(|is_over| *is_over)).await.is_ok() {
            return None;
        }
    }
}
