//! A limit on the size of files (`ulimit -f`, systemd's `LimitFSIZE=`): the write that meets it fails, as
//! on a full disk, and the process lives on to say so. Nothing here changes the limit.

use nix::sys::signal::{SigSet, Signal};

/// Holds back the signal by which the system ends a process that writes too much. To be called before
/// threads are started.
pub fn fail_instead_of_ending() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    // Where it is refused, the limit ends the process, as it would have.
    let _ = signals.thread_block();
}
