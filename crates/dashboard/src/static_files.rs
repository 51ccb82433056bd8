//! Style sheet, scripts and icon, compiled in.

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct StaticFile {
    /// Its content.
    pub bytes: &'static [u8],
    /// Its media type.
    pub content_type: &'static str,
    /// Names this version of it, without quotation marks.
    pub etag: &'static str,
}

struct EmbeddedFile {
    name: &'static str,
    bytes: &'static [u8],
    content_type: &'static str,
    hash: [u8; 16],
}

const fn embedded(
    name: &'static str,
    bytes: &'static [u8],
    content_type: &'static str,
) -> EmbeddedFile {
    EmbeddedFile { name, bytes, content_type, hash: hash_of(bytes) }
}

static FILES: [EmbeddedFile; 6] = [
    embedded("dashboard.css", include_bytes!("../static/dashboard.css"), "text/css; charset=utf-8"),
    embedded(
        "dashboard.js",
        include_bytes!("../static/dashboard.js"),
        "text/javascript; charset=utf-8",
    ),
    embedded("live.js", include_bytes!("../static/live.js"), "text/javascript; charset=utf-8"),
    embedded("favicon-alert.svg", include_bytes!("../static/favicon-alert.svg"), "image/svg+xml"),
    embedded("theme.js", include_bytes!("../static/theme.js"), "text/javascript; charset=utf-8"),
    embedded("favicon.svg", include_bytes!("../static/favicon.svg"), "image/svg+xml"),
];

/// The file of a path such as `/static/dashboard.css`, or of its last part.
#[must_use]
pub fn static_file(path: &str) -> Option<StaticFile> {
    let name = path.strip_prefix("/static/").unwrap_or(path);
    let file = FILES.iter().find(|file| file.name == name)?;
    Some(StaticFile {
        bytes: file.bytes,
        content_type: file.content_type,
        etag: std::str::from_utf8(&file.hash).ok()?,
    })
}

/// The address of a file, with its version: a browser that keeps an old one asks for the new one.
pub(crate) fn static_href(name: &str) -> String {
    let version = static_file(name).map_or("0", |file| file.etag);
    format!("/static/{name}?v={version}")
}

/// FNV-1a of 64 bits as 16 hexadecimal digits: it tells versions apart and protects nothing.
const fn hash_of(bytes: &[u8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    let mut out = [0; 16];
    let mut at = 0;
    while at < 16 {
        out[at] = DIGITS[((hash >> (60 - 4 * at)) & 15) as usize];
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_own_version() {
        let style = static_file("/static/dashboard.css").unwrap();
        let script = static_file("dashboard.js").unwrap();
        assert_eq!(style.etag.len(), 16);
        assert_ne!(style.etag, script.etag);
        assert!(static_file("/static/../Cargo.toml").is_none());
        assert!(static_href("theme.js").starts_with("/static/theme.js?v="));
    }
}
