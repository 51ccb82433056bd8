//! Keeps the first bytes of a stream that may never end. It drops the rest and does not count it.

/// How many bytes of a conversation over the network are kept.
pub(crate) const OF_A_CONVERSATION: usize = 64 * 1024;

/// Adds as much of `bytes` to `kept` as `limit` allows.
pub(crate) fn keep(kept: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let room = limit.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}
