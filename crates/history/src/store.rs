//! The history as a value that many tasks share: opening it, replacing a damaged database, and telling
//! when something new is there.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{RwLock, watch};

use crate::damaged::move_aside;
use crate::database::HistoryDatabase;
use crate::{HistoryError, HistoryLocation};

/// An opened history.
#[derive(Debug)]
pub struct OpenedHistory {
    /// The history.
    pub store: HistoryStore,
    /// Where a damaged database was moved. The history began anew and is being rebuilt.
    pub moved_aside: Option<PathBuf>,
}

/// What was done about damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryRepair {
    /// Nothing is found that this program can mend. Try again later.
    Nothing,
    /// A counter was wrong, and is right now.
    Counters,
    /// The history began anew: what is known of jobs must be read again.
    Anew {
        /// Where the damaged one was moved, if it was there.
        aside: Option<PathBuf>,
    },
}

/// The history of jobs. A clone shares the connections.
#[derive(Clone, Debug)]
pub struct HistoryStore {
    shared: Arc<SharedStore>,
}

#[derive(Debug)]
struct SharedStore {
    location: HistoryLocation,
    database: RwLock<HistoryDatabase>,
    sequence: watch::Sender<u64>,
    moved_aside: watch::Sender<Option<PathBuf>>,
    /// Moves whenever the history begins anew.
    beginnings: watch::Sender<u64>,
}

impl HistoryStore {
    /// Opens the history and brings it to this version's schema. A damaged SQLite database is moved aside,
    /// and an empty one takes its place.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; with [`HistoryError::NewerSchema`] the daemon goes on without a history, with all
    /// others it tries again.
    pub async fn open(location: &HistoryLocation) -> Result<OpenedHistory, HistoryError> {
        let (database, moved_aside) = open_or_replace(location).await?;
        let store = Self {
            shared: Arc::new(SharedStore {
                location: location.clone(),
                database: RwLock::new(database),
                sequence: watch::Sender::new(0),
                moved_aside: watch::Sender::new(moved_aside.clone()),
                beginnings: watch::Sender::new(0),
            }),
        };
        store.look_for_news().await?;
        Ok(OpenedHistory { store, moved_aside })
    }

    /// Opens a history that is there, to read it. Nothing is made, repaired or brought to this version's schema.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Absent`] if there is none, and [`HistoryError::NewerSchema`] if this version cannot read
    /// it.
    pub async fn open_to_read(location: &HistoryLocation) -> Result<Self, HistoryError> {
        let database = HistoryDatabase::connect_to_present(location).await?;
        if let Err(error) = database.known_schema(location).await {
            database.close().await;
            return Err(error);
        }
        Ok(Self {
            shared: Arc::new(SharedStore {
                location: location.clone(),
                database: RwLock::new(database),
                sequence: watch::Sender::new(0),
                moved_aside: watch::Sender::new(None),
                beginnings: watch::Sender::new(0),
            }),
        })
    }

    /// Where the history is kept.
    #[must_use]
    pub fn location(&self) -> &HistoryLocation {
        &self.shared.location
    }

    /// The number of the last event; it changes whenever an event was stored.
    #[must_use]
    pub fn sequence(&self) -> watch::Receiver<u64> {
        self.shared.sequence.subscribe()
    }

    /// Where a damaged database was moved, if this process met one.
    #[must_use]
    pub fn moved_aside(&self) -> watch::Receiver<Option<PathBuf>> {
        self.shared.moved_aside.subscribe()
    }

    /// Moves whenever the history begins anew while this process uses it.
    #[must_use]
    pub fn beginnings(&self) -> watch::Receiver<u64> {
        self.shared.beginnings.subscribe()
    }

    /// Looks whether the file of an SQLite database is still the one that was opened.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Damaged`] if it is gone, or another one took its place.
    pub async fn require_its_file(&self) -> Result<(), HistoryError> {
        let HistoryLocation::Sqlite(path) = &self.shared.location else { return Ok(()) };
        match self.database().await.is_lost(path) {
            true => {
                let doing = "looking for the file of the history, which is gone";
                Err(HistoryError::Damaged { doing, source: None })
            }
            false => Ok(()),
        }
    }

    /// Repairs a damaged database, or puts an empty one in its place, unless another task has done so. The
    /// ingest fills it again.
    ///
    /// # Errors
    ///
    /// [`HistoryError`] if a new one cannot be made. Then the old connections may be closed, and calling this
    /// again goes on from there.
    pub async fn repair(&self) -> Result<HistoryRepair, HistoryError> {
        let mut database = self.shared.database.write().await;
        let location = &self.shared.location;
        if let HistoryLocation::Sqlite(path) = location
            && database.is_folder_lost(path)
        {
            return Err(HistoryError::FolderLost { location: location.to_string() });
        }
        if !database.is_closed() {
            match check_and_repair(&database, location).await {
                Ok(true) => return Ok(HistoryRepair::Counters),
                Ok(false) => return Ok(HistoryRepair::Nothing),
                Err(damage) if damage.is_damage() => database.close().await,
                Err(error) => return Err(error),
            }
        }
        let (opened, aside) = open_or_replace(location).await?;
        *database = opened;
        if aside.is_some() {
            self.shared.moved_aside.send_replace(aside.clone());
        }
        self.shared.beginnings.send_modify(|beginnings| *beginnings += 1);
        Ok(HistoryRepair::Anew { aside })
    }

    /// Ends all connections. What is asked after that fails.
    pub async fn close(&self) {
        self.shared.database.read().await.close().await;
    }

    /// The connections. They are not replaced while a question is under way.
    pub(crate) async fn database(&self) -> HistoryDatabase {
        self.shared.database.read().await.clone()
    }

    /// Tells everybody who waits that events up to this one are stored.
    pub(crate) fn tell_sequence(&self, sequence: u64) {
        self.shared.sequence.send_if_modified(|last| {
            let is_new = sequence != *last;
            *last = sequence;
            is_new
        });
    }
}

/// Whether counters were repaired.
async fn check_and_repair(
    database: &HistoryDatabase,
    location: &HistoryLocation,
) -> Result<bool, HistoryError> {
    if let HistoryLocation::Sqlite(path) = location
        && database.is_lost(path)
    {
        let doing = "looking for the file of the history";
        return Err(HistoryError::Damaged { doing, source: None });
    }
    database.check().await?;
    database.check_tables().await?;
    database.repair_counters().await
}

async fn open_or_replace(
    location: &HistoryLocation,
) -> Result<(HistoryDatabase, Option<PathBuf>), HistoryError> {
    match (connect(location).await, location) {
        (Err(damage), HistoryLocation::Sqlite(path)) if damage.is_damage() => {
            let aside = move_aside(path)?;
            Ok((connect(location).await?, Some(aside)))
        }
        (Err(damage), HistoryLocation::Postgres(_)) if damage.is_damage() => {
            let database = HistoryDatabase::connect(location).await?;
            let aside = database.set_aside().await;
            database.close().await;
            let aside = aside?;
            Ok((connect(location).await?, aside))
        }
        (opened, _) => Ok((opened?, None)),
    }
}

async fn connect(location: &HistoryLocation) -> Result<HistoryDatabase, HistoryError> {
    let database = HistoryDatabase::connect(location).await?;
    let readied = async {
        database.check().await?;
        database.migrate(location).await?;
        database.check_tables().await?;
        database.repair_counters().await
    };
    match readied.await {
        Ok(_) => Ok(database),
        Err(error) => {
            database.close().await;
            Err(error)
        }
    }
}
