//! Handles a limit on the size of files (`ulimit -f`, systemd's `LimitFSIZE=`): a write beyond the limit
//! fails, as on a full disk, and the process stays alive to say so. The limit itself is not changed.

use nix::sys::signal::{SigSet, Signal};

/// Blocks the signal with which the system ends a process that writes too much. Call it before any
/// thread is started.
pub fn fail_instead_of_ending() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    // If the system refuses this, the limit ends the process as usual.
    let _ = signals.thread_block();
}
