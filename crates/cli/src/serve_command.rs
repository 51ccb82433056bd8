//! `serve`: the page and the API of this host, and the ingest of its journals. The address goes to stdout,
//! words to stderr.
//!
//! Three threads: one answers requests, one reads the history and keeps it up to date, and one looks after the
//! tasks of the host (`serve_daemon`). So a question that takes long delays neither health nor drivers.
//!
//! Where the state folder is missing, a service without jobs is served, at the same address, until the first job
//! makes the folder.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fargate_config::{LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_files::FileError;
use fargate_history::{
    HistoryError, HistoryLocation, HistoryStore, IngestSettings, JournalIngest, KnownTask,
};
use fargate_model::text::{error_chain, shell_word};
use fargate_status_api::access::access_token::new_token;
use fargate_status_api::{
    ConnectionLimits, OutsideDuties, StatusService, follow, router, run_duties, serve,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::serve_args::{ServeAction, StatusServeArgs, TokenArgs};
use crate::served_host::{self, ServedHost};
use crate::streams::{tell, to_stdout, unwritten};
use crate::{config_command, log, serve_daemon, serve_settings, service_notice};

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

/// What stays the same as long as the process lives.
struct ServedPlace {
    config: RunnerConfig,
    path: PathBuf,
    missing: Vec<String>,
    /// The profile that was asked for.
    profile: Option<String>,
    listen: SocketAddr,
    is_demo: bool,
    runtime: Runtime,
    /// Bound once. A service that begins anew takes a copy, so clients wait meanwhile and none is refused.
    listener: Option<std::net::TcpListener>,
    signals: EndSignals,
}

/// Why a service ended.
enum ServiceEnd {
    /// A signal, or its history, ended it.
    Done(CommandExit),
    /// The state folder that was missing is there now.
    FolderMade,
}

fn serve_until_told(global: &GlobalFlags, args: &StatusServeArgs) -> Result<CommandExit, String> {
    let ServedConfig { config, path, missing } = configuration(global)?;
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "serve".into())]);
    let listen = serve_settings::listen_address(&config, args.listen)?;
    raise_file_limit();
    let runtime = new_runtime()?;
    let signals = EndSignals::listen(&runtime)?;
    let (profile, is_demo) = (global.profile.clone(), args.demo);
    let listener = None;
    let mut place =
        ServedPlace { config, path, missing, profile, listen, is_demo, runtime, listener, signals };
    loop {
        match serve_host(&mut place)? {
            ServiceEnd::Done(exit) => return Ok(exit),
            ServiceEnd::FolderMade => tell!("the state folder is there; showing its jobs"),
        }
    }
}

/// Serves the host as it is now, until somebody ends it, or until a state folder that was missing is there.
fn serve_host(place: &mut ServedPlace) -> Result<ServiceEnd, String> {
    let config = &place.config;
    let workers = new_runtime()?;
    let host = ServedHost::of(config, &workers)?;
    let missing = serve_settings::missing(place.missing.clone(), &place.path);
    let settings = serve_settings::of(config, &place.path, &host.name, missing, place.is_demo)?;
    let duties = serve_settings::duties(config, &host.name);
    let (end, until) = watch::channel(false);
    let ServedHost { history, ingest, control, passing, .. } = host;
    let daemon = match &ingest {
        Some(_) => serve_daemon::claim(config, place.profile.as_deref())?,
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
    let is_first = place.listener.is_none();
    let listener = listener_of(&place.runtime, place.listen, &mut place.listener)?;
    let address = listener.local_addr().map_err(|error| format!("listening: {error}"))?;
    let (known_tasks, tasks) = watch::channel(None);
    let kept = KeptHistory { location: history, ingest, tasks };
    let keeper = keep_history(workers, Arc::clone(&service), kept, duties, end.clone());
    let carer = daemon.map(|daemon| {
        let learners = (Arc::clone(&service), known_tasks);
        serve_daemon::start(daemon, config.state_dir.clone(), learners, &until)
    });
    let (is_told, is_folder_made) = (Cell::new(false), Cell::new(false));
    let signals = &mut place.signals;
    let served = place.runtime.block_on(async {
        if is_first {
            to_stdout(&format!("http://{address}/")).map_err(unwritten)?;
            service_notice::tell_ready();
            tell!("serving at http://{address}/; Ctrl-C ends it");
        }
        let serving = serve(listener, router(&service), limits, until);
        // Neither of these ends: the open requests end first.
        let told = async {
            loop {
                signals.received().await;
                is_told.set(true);
                service_notice::tell_end();
                end.send_replace(true);
            }
        };
        let folder_made = async {
            if passing.is_some() {
                served_host::until_made(&config.state_dir).await;
                is_folder_made.set(true);
                end.send_replace(true);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = serving => {}
            () = told => {}
            () = folder_made => {}
            () = service_notice::tell_alive(threads) => {}
        }
        Ok::<_, String>(())
    });
    end.send_replace(true);
    if let Some(carer) = carer {
        carer.join().map_err(|_| "the thread of the daemon ended by a bug".to_owned())?;
    }
    let kept = keeper.join().map_err(|_| "the thread of the history ended by a bug".to_owned())?;
    served?;
    let exit = kept?;
    Ok(match is_folder_made.get() && !is_told.get() {
        true => ServiceEnd::FolderMade,
        false => ServiceEnd::Done(exit),
    })
}

/// A copy of the listener, which is bound at the first call.
fn listener_of(
    runtime: &Runtime,
    listen: SocketAddr,
    bound: &mut Option<std::net::TcpListener>,
) -> Result<TcpListener, String> {
    let words = |error: std::io::Error| format!("listening at {listen}: {error}");
    let kept = match bound.take() {
        Some(kept) => kept,
        None => runtime.block_on(listen_at(listen))?.into_std().map_err(words)?,
    };
    let copy = kept.try_clone().map_err(words)?;
    *bound = Some(kept);
    let _within = runtime.enter();
    TcpListener::from_std(copy).map_err(words)
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

/// The signals that end the service: SIGTERM and SIGINT. They are listened for as long as the process lives, so
/// that none is lost between two services.
struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Listens from now on. Whoever reads the address may end the service at once.
    fn listen(runtime: &Runtime) -> Result<Self, String> {
        let _within = runtime.enter();
        let listen = |kind| signal(kind).map_err(|error| format!("listening for signals: {error}"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
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
