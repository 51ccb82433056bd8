//! The first bytes of something that may go on for ever. It forgets the rest, and does not count it.

/// Bytes that are kept of what was said over the network.
pub(crate) const OF_A_CONVERSATION: usize = 64 * 1024;

/// Adds as much of `bytes` to `kept` as `limit` allows.
pub(crate) fn keep(kept: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let room = limit.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}
