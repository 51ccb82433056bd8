//! What takes secrets out of a build's lines before anybody sees them, beside the masker. Whoever orders a build
//! brings it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

type RedactLine = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Takes secrets out of one line. Clones share it.
#[derive(Clone, Default)]
pub struct LineRedaction(Option<Arc<RedactLine>>);

impl LineRedaction {
    /// A line goes through `redact`, which gives another text if it must not be shown as it is.
    pub fn by(redact: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(redact)))
    }

    /// The line as it may be shown.
    pub(super) fn shown<'line>(&self, line: &'line str) -> Cow<'line, str> {
        let redacted = self.0.as_ref().and_then(|redact| redact(line));
        redacted.map_or(Cow::Borrowed(line), Cow::Owned)
    }
}

impl fmt::Debug for LineRedaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineRedaction")
    }
}
