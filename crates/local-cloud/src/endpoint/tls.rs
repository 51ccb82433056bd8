//! TLS for the endpoint: a certificate authority of this cloud alone, and a certificate for this
//! machine's loopback names. Both exist only in memory, and end with the cloud.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// A name for clients that use a proxy: they use none for names of this machine.
pub const PUBLIC_NAME: &str = "cloud.example";
/// The names in the certificate.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", PUBLIC_NAME];

/// What an endpoint with TLS needs.
pub struct TlsIdentity {
    /// The authority's certificate, in PEM.
    pub authority_pem: String,
    /// Takes TLS connections.
    pub acceptor: TlsAcceptor,
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates could not be made.
    #[error("making certificates")]
    Certificate(#[from] rcgen::Error),
    /// They do not fit the TLS library.
    #[error("using the certificates that were made")]
    Use(#[from] rustls::Error),
}

impl TlsIdentity {
    /// Makes an authority and a certificate that it signed.
    pub fn make() -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority of a local cloud");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let own_key = KeyPair::generate()?;
        let mut own = CertificateParams::new(NAMES.map(str::to_owned))?;
        own.distinguished_name.push(DnType::CommonName, "local cloud");
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = own.signed_by(&own_key, &issuer)?;

        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        // The endpoint speaks HTTP/1.1 only.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority_pem: authority.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}
