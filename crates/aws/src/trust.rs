//! The certificates that this host trusts: those in the PEM file that the configuration or
//! `AWS_CA_BUNDLE` names, else those of this machine.
//!
//! The file is checked first in the way in which the HTTP client reads it, because the client
//! panics on a bad file. If the file has no usable certificate, that is an error; the machine's
//! certificates are never used instead.

use std::path::{Path, PathBuf};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use fargate_config::AccountSettings;
use fargate_events::{JobEvent, emit};
use fargate_model::cause::{CauseReport, FailureCause};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use fargate_files::read_at_most;

/// Longest file that is read. The largest public bundle has 250 KiB.
const LONGEST: u64 = 16 * 1024 * 1024;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The configured trust. `None` means this machine's certificates.
///
/// # Errors
///
/// Returns [`FailureCause::CaBundle`], which names the file, if the file cannot be used.
pub fn configured(account: &AccountSettings) -> Result<Option<TlsContext>, CauseReport> {
    let variable = || std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
    let path = account.ca_bundle.clone().or_else(|| variable().map(PathBuf::from));
    let Some(path) = path else { return Ok(None) };
    let pem = certificates(&path).map_err(|what| {
        CauseReport::new(FailureCause::CaBundle).with("path", path.to_string_lossy()).because(what)
    })?;
    let store = TrustStore::empty().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(store).build();
    context.map(Some).map_err(|error| {
        CauseReport::new(FailureCause::CaBundle)
            .with("path", path.to_string_lossy())
            .because(error.to_string())
    })
}

/// Trusts nobody. For connections without TLS, so that no certificates are read.
pub fn nobody() -> TlsContext {
    let store = TrustStore::empty();
    TlsContext::builder().with_trust_store(store).build().unwrap_or_default()
}

/// The usable certificates of the file, as PEM, or one sentence that says why there are none.
fn certificates(path: &Path) -> Result<String, String> {
    let bytes =
        read_at_most(path, LONGEST).map_err(|error| format!("It cannot be read: {error}."))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(format!("It is longer than {} MiB.", LONGEST / 1024 / 1024));
    }
    if bytes.is_empty() {
        return Err("It is empty.".to_owned());
    }
    let text = String::from_utf8_lossy(&bytes);
    let (mut good, mut bad) = (String::new(), 0);
    for block in text.split(BEGIN).skip(1) {
        let body = block.split(END).next().unwrap_or_default();
        let pem = format!("{BEGIN}{body}{END}\n");
        let usable = CertificateDer::from_pem_slice(pem.as_bytes())
            .is_ok_and(|certificate| RootCertStore::empty().add(certificate).is_ok());
        if usable {
            good.push_str(&pem);
        } else {
            bad += 1;
        }
    }
    if good.is_empty() {
        return Err(match bad {
            0 => "It holds no certificate in PEM.".to_owned(),
            _ => format!("None of its {bad} certificates can be read."),
        });
    }
    if bad > 0 {
        emit(JobEvent::CaBundlePartlyRead { path: path.display().to_string(), unreadable: bad });
    }
    Ok(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate authority for this test, valid until 2096.
    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUHRwbsVEG+YRdF0c7ltM0QmuDlqwwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUQXV0aG9yaXR5IGZvciBhIHRlc3QwIBcNMjYxMTIxMTIxNDU2
WhgPMjA5NjExMDMxMjE0NTZaMB8xHTAbBgNVBAMMFEF1dGhvcml0eSBmb3IgYSB0
ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvsAghMIL98+3TyjFJL7ikZmD
njbIXKyq+bjskVVxEty0mRGrXFvaV+Ex6Wp56N0BK89pzawX3iQvi+E+Smgi3qNT
MFEwHQYDVR0OBBYEFP7/O3W7LSXCGq4HqFq96r0Hfi4hMB8GA1UdIwQYMBaAFP7/
O3W7LSXCGq4HqFq96r0Hfi4hMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
SAAwRQIgEzTODfgnIucTVklWZDPdWQZ3wss8Y8d1SxOCOItpYb0CIQDPZlPcn5Qy
Oxm7VkH7iBebAl14z0vFzu1fn6LmcCDSow==
-----END CERTIFICATE-----
";

    fn read(bytes: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, bytes).unwrap();
        certificates(&path)
    }

    fn account(path: &Path) -> AccountSettings {
        AccountSettings { ca_bundle: Some(path.to_owned()), role: None }
    }

    #[test]
    fn what_can_be_used_is_kept_and_the_rest_is_left_out() {
        let broken = AUTHORITY.replacen("MII", "MIIx", 1);
        let other = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let mixed = format!("# a comment\n{broken}{other}{AUTHORITY}\u{fffd}{AUTHORITY}");
        assert_eq!(read(mixed.as_bytes()).unwrap().matches(BEGIN).count(), 2);
    }

    #[test]
    fn a_file_that_gives_nothing_is_named_with_the_reason() {
        for (bytes, reason) in [
            (&b""[..], "It is empty."),
            (b"\xff\xfe\x00binary", "It holds no certificate in PEM."),
            (b"-----BEGIN CERTIFICATE-----", "None of its 1 certificates can be read."),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "None of its 1 certificates can be read.",
            ),
        ] {
            assert_eq!(read(bytes).unwrap_err(), reason);
        }
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [folder.path().join("none.pem"), folder.path().to_owned(), pipe] {
            let why = configured(&account(&path)).unwrap_err();
            assert_eq!(why.headline(), format!("the CA bundle {} cannot be used", path.display()));
        }
    }
}
