//! Which SSH algorithms are offered to which server.
//!
//! Our own agent is offered only what it is built with. A stock server may be old: fast and secure
//! algorithms come first, SHA-1 comes last, and broken ones are not offered.

use std::borrow::Cow;

use russh::keys::ssh_key::EcdsaCurve;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use russh::{Names, Preferred, cipher, kex, mac};

/// The algorithms for the agent.
pub(super) const AGENT: Preferred = Preferred {
    kex: Cow::Borrowed(&[
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::EXTENSION_SUPPORT_AS_CLIENT,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    ]),
    key: Cow::Borrowed(&[Algorithm::Ed25519]),
    cipher: Cow::Borrowed(&[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305]),
    ..Preferred::DEFAULT
};

/// The algorithms for a stock server: OpenSSH since 5.9, dropbear since 2013.56.
pub(super) const STOCK: Preferred = Preferred {
    kex: Cow::Borrowed(&[
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::MLKEM768X25519_SHA256,
        kex::ECDH_SHA2_NISTP256,
        kex::ECDH_SHA2_NISTP384,
        kex::ECDH_SHA2_NISTP521,
        kex::DH_GEX_SHA256,
        kex::DH_G14_SHA256,
        kex::DH_G16_SHA512,
        kex::DH_G14_SHA1,
        kex::EXTENSION_SUPPORT_AS_CLIENT,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    ]),
    key: Cow::Borrowed(&[
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
        Algorithm::Rsa { hash: None },
    ]),
    cipher: Cow::Borrowed(&[
        cipher::AES_256_GCM,
        cipher::AES_128_GCM,
        cipher::AES_256_CTR,
        cipher::AES_128_CTR,
        cipher::CHACHA20_POLY1305,
    ]),
    mac: Cow::Borrowed(&[
        mac::HMAC_SHA256_ETM,
        mac::HMAC_SHA512_ETM,
        mac::HMAC_SHA256,
        mac::HMAC_SHA512,
        mac::HMAC_SHA1,
    ]),
    ..Preferred::DEFAULT
};

/// `offer`, but with host keys only of the pinned key's kind. So a server that has several must
/// show the known one.
pub(super) fn pinned(offer: &Preferred, key: &PublicKey) -> Preferred {
    let is_same_kind = |algorithm: &&Algorithm| match (algorithm, key.algorithm()) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (algorithm, known) => **algorithm == known,
    };
    let kinds: Vec<_> = offer.key.iter().filter(is_same_kind).cloned().collect();
    Preferred { key: Cow::Owned(kinds), ..offer.clone() }
}

/// Whether a server that was offered [`STOCK`] chose a key exchange or a host key of curve 25519. A
/// server in FIPS mode has neither, and does not accept a client key of that kind.
pub(super) fn is_of_curve25519(names: &Names) -> bool {
    let kex = [kex::MLKEM768X25519_SHA256, kex::CURVE25519, kex::CURVE25519_PRE_RFC_8731];
    kex.contains(&names.kex) || names.key == Algorithm::Ed25519
}

/// Whether the connection is open to a prefix attack. Without strict key exchange, somebody in
/// between can drop its first packets with this cipher, and nobody notices (CVE-2023-48795).
pub(super) fn is_open_to_cut_off(names: &Names) -> bool {
    !names.strict_kex() && names.cipher == cipher::CHACHA20_POLY1305
}
