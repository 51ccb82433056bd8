//! `jobs audit`: the audit log of the history, as an export or looked through for changes. Data on stdout,
//! words on stderr.

use std::time::SystemTime;

use fargate_history::{AuditRecord, AuditVerification, HistoryStore};
use fargate_model::moment::unix_ms;
use fargate_model::text::{count, error_chain};
use fargate_status_api::history_location;

use crate::args::GlobalFlags;
use crate::audit_output::AuditPrinter;
use crate::exit::CommandExit;
use crate::jobs_args::JobAuditArgs;
use crate::jobs_context::configuration;
use crate::streams::{tell, to_stdout, unwritten};

/// Entries that are read at once. Ours: some hundred kilobytes.
const ENTRIES_AT_ONCE: usize = 1000;

/// Runs it.
pub fn run(global: &GlobalFlags, args: &JobAuditArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let location = history_location(&config);
    let since_ms = args.since.map(|since| unix_ms(since.moment(SystemTime::now())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    runtime.block_on(async {
        let opened = HistoryStore::open_to_read(&location).await;
        let store =
            opened.map_err(|error| format!("reading the audit log: {}", error_chain(&error)))?;
        let done = match args.verify {
            true => verify(&store).await,
            false => export(&store, since_ms.unwrap_or(0), args).await,
        };
        store.close().await;
        done
    })
}

async fn export(
    store: &HistoryStore,
    since_ms: u64,
    args: &JobAuditArgs,
) -> Result<CommandExit, String> {
    let (mut printer, mut last, mut printed) = (AuditPrinter::new(args.output.chosen()), 0, 0);
    let print = |text: Option<String>| match text {
        Some(text) => to_stdout(&text).map_err(unwritten),
        None => Ok(()),
    };
    loop {
        let read = store.audit_after(last, ENTRIES_AT_ONCE).await;
        let mut records = read.map_err(|error| error_chain(&error))?;
        let is_last = records.len() < ENTRIES_AT_ONCE;
        last = records.last().map_or(last, |record| record.sequence);
        records.retain(|record: &AuditRecord| record.entry.at_ms >= since_ms);
        printed += records.len() as u64;
        print(printer.some(&records))?;
        if is_last {
            break;
        }
    }
    print(printer.end())?;
    tell!("{} entries", count(printed));
    Ok(CommandExit::Done)
}

async fn verify(store: &HistoryStore) -> Result<CommandExit, String> {
    let verified = store.verify_audit().await.map_err(|error| error_chain(&error))?;
    let AuditVerification { entries, broken_at } = verified;
    match broken_at {
        None => {
            tell!("the audit log is whole: {} entries, none changed, none missing", count(entries));
            Ok(CommandExit::Done)
        }
        Some(sequence) => Err(format!(
            "the audit log is broken at entry {sequence}: it was changed, or entries before it are missing; {} \
             entries before it are whole\nhint: compare it with an earlier export (`jobs audit -o ndjson`)",
            count(entries)
        )),
    }
}
