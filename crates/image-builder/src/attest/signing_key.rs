//! The key that signs images: ECDSA on P-256, in a PEM file of this host or in KMS.
//!
//! The private key stays in this process or in KMS. No error, event or log repeats a part of it.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fargate_aws::AwsAccount;
use fargate_files::require_own_file;
use fargate_model::text::{error_chain, escape_within, shell_word};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::failure::ImageFailure;

/// Longest key file, in bytes. Ours; such a key has about 240.
const LONGEST: u64 = 16 * 1024;
/// The bits by which everybody on the host may use a file.
const EVERYBODY: u32 = 0o007;
/// What stands before the point in the DER form of a public key on P-256. Source: RFC 5480, section 2.
const PUBLIC_KEY_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point: `04` and two coordinates.
const POINT_BYTES: usize = 65;
const PEM_COLUMNS: usize = 64;

/// A private key that can sign.
pub enum ImageSigningKey<'a> {
    /// A key in the memory of this process.
    File(Box<EcdsaKeyPair>, SystemRandom),
    /// A key of KMS.
    Kms {
        /// Its ARN.
        arn: String,
        /// How AWS is reached.
        account: &'a AwsAccount,
        /// The public key, as KMS told it.
        public: ImagePublicKey,
    },
}

/// A public key on P-256.
#[derive(Clone, PartialEq, Eq)]
pub struct ImagePublicKey {
    point: [u8; POINT_BYTES],
}

impl fmt::Debug for ImagePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImagePublicKey({})", self.fingerprint())
    }
}

impl fmt::Debug for ImageSigningKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageSigningKey({})", self.public_key().fingerprint())
    }
}

impl<'a> ImageSigningKey<'a> {
    /// Opens the key that `signing_key` of an image names: the absolute path of a PEM file, or the ARN of a
    /// key of KMS. `account` is used for KMS alone.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the file cannot be read, others may read or write it, or it holds no
    /// such key; and if KMS does not give the public key.
    pub async fn open(named: &str, account: &'a AwsAccount) -> Result<Self, ImageFailure> {
        if !named.starts_with("arn:") {
            return Self::of_file(Path::new(named));
        }
        let told = account.kms_public_key(named).await;
        let der = told.map_err(|error| of_kms(named, "kms:GetPublicKey", &error))?;
        let public = ImagePublicKey::of_der(&der).ok_or_else(|| ImageFailure::Unusable {
            what: format!(
                "opening the signing key {named}: it is no key of the kind ECC_NIST_P256"
            ),
            hint: "create a key of KMS with the usage SIGN_VERIFY and that kind".to_owned(),
        })?;
        Ok(Self::Kms { arn: named.to_owned(), account, public })
    }

    fn of_file(path: &Path) -> Result<Self, ImageFailure> {
        let unread = |why: &dyn fmt::Display, hint: &str| ImageFailure::Unusable {
            what: format!("reading the signing key {}: {why}", path.display()),
            hint: hint.to_owned(),
        };
        let metadata = fs::metadata(path);
        let metadata = metadata.map_err(|error| unread(&error, "correct `signing_key`"))?;
        let shown = path.display().to_string();
        let close = format!("chmod 0600 {}", shell_word(&shown));
        require_own_file(path, &metadata).map_err(|error| unread(&error_chain(&error), &close))?;
        if metadata.mode() & EVERYBODY != 0 {
            return Err(unread(&"everybody on this host may read it", &close));
        }
        let text = fargate_files::read_at_most(path, LONGEST);
        let text = text.map_err(|error| unread(&error, "correct `signing_key`"))?;
        let text = Zeroizing::new(text);
        Self::of_pem(&text).map_err(|error| unread(&error, error.hint()))
    }

    /// Reads a private key from a PEM text.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`].
    pub fn of_pem(text: &[u8]) -> Result<Self, SigningKeyError> {
        let text = std::str::from_utf8(text).map_err(|_| SigningKeyError::NoPem)?;
        let (label, body) = pem_block(text).ok_or(SigningKeyError::NoPem)?;
        match label {
            "PRIVATE KEY" => {}
            "EC PRIVATE KEY" => return Err(SigningKeyError::OldForm),
            _ if label.starts_with("ENCRYPTED") => return Err(SigningKeyError::Encrypted),
            _ => return Err(SigningKeyError::OtherContent(escape_within(label, 40))),
        }
        let der = base64_lines(body).ok_or(SigningKeyError::NoPem)?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random);
        let pair = pair.map_err(|_| SigningKeyError::OtherKey)?;
        Ok(Self::File(Box::new(pair), random))
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn public_key(&self) -> ImagePublicKey {
        match self {
            Self::File(pair, _) => ImagePublicKey::of_point(pair.public_key().as_ref())
                .expect("a key pair on P-256 has an uncompressed point"),
            Self::Kms { public, .. } => public.clone(),
        }
    }

    /// Signs these bytes: ECDSA of their SHA-256, in DER.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if this host gives no random numbers, or KMS does not sign.
    pub async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, ImageFailure> {
        match self {
            Self::File(pair, random) => {
                let signed = pair.sign(random, bytes).map_err(|_| ImageFailure::Unusable {
                    what: "signing the image: this host gives no random numbers".to_owned(),
                    hint: "try again".to_owned(),
                })?;
                Ok(signed.as_ref().to_vec())
            }
            Self::Kms { arn, account, public } => {
                let hash = digest(&SHA256, bytes);
                let signed = account.kms_sign(arn, hash.as_ref()).await;
                let signed = signed.map_err(|error| of_kms(arn, "kms:Sign", &error))?;
                if !public.verifies(bytes, &signed) {
                    return Err(ImageFailure::Unusable {
                        what: format!(
                            "signing with {arn}: the signature does not fit its public key"
                        ),
                        hint: "look whether something between this host and KMS changes answers"
                            .to_owned(),
                    });
                }
                Ok(signed)
            }
        }
    }
}

fn of_kms(arn: &str, right: &str, error: &fargate_aws::CallError) -> ImageFailure {
    ImageFailure::Unusable {
        what: format!("calling KMS for the signing key {arn}: {error}"),
        hint: format!("allow {right} on that key, and look whether the ARN is right"),
    }
}

/// Why a text is no private key that signs images.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// There is no PEM block, or its body is no base64.
    #[error("it holds no PEM block such as `-----BEGIN PRIVATE KEY-----`")]
    NoPem,
    /// The form of SEC 1, which is not read.
    #[error("it has the old form `EC PRIVATE KEY`; PKCS#8 is expected")]
    OldForm,
    /// It asks for a password.
    #[error("it is encrypted, and nobody is there to give its password")]
    Encrypted,
    /// The block holds something else.
    #[error("it holds `{0}`; `PRIVATE KEY` is expected")]
    OtherContent(String),
    /// A key of another kind.
    #[error("it is no key for ECDSA on P-256, or its public half is missing")]
    OtherKey,
}

impl SigningKeyError {
    /// The next step.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OldForm => "convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW",
            Self::Encrypted => {
                "use a key of KMS, or a file without a password that only this user may read"
            }
            Self::NoPem | Self::OtherContent(_) | Self::OtherKey => {
                "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE"
            }
        }
    }
}

impl ImagePublicKey {
    /// Reads a PEM text with a block `PUBLIC KEY`, as `cosign.pub` has it.
    #[must_use]
    pub fn of_pem(text: &str) -> Option<Self> {
        let (label, body) = pem_block(text)?;
        (label == "PUBLIC KEY").then(|| Self::of_der(&base64_lines(body)?))?
    }

    /// Reads the DER form (`SubjectPublicKeyInfo`).
    #[must_use]
    pub fn of_der(der: &[u8]) -> Option<Self> {
        Self::of_point(der.strip_prefix(&PUBLIC_KEY_PREFIX)?)
    }

    fn of_point(point: &[u8]) -> Option<Self> {
        let point: [u8; POINT_BYTES] = point.try_into().ok()?;
        (point[0] == 4).then_some(Self { point })
    }

    fn der(&self) -> Vec<u8> {
        [&PUBLIC_KEY_PREFIX[..], &self.point[..]].concat()
    }

    /// The PEM text, for `cosign verify --key`.
    #[must_use]
    pub fn pem(&self) -> String {
        let body = STANDARD.encode(self.der());
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(PEM_COLUMNS)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The first 16 hexadecimal digits of the SHA-256 of its DER form.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(&digest(&SHA256, &self.der()).as_ref()[..8])
    }

    /// Whether this is a signature of these bytes by the private half.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.point).verify(bytes, signature).is_ok()
    }
}

/// Label and body of the first PEM block.
fn pem_block(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, end) = rest.split_once("-----END ")?;
    end.starts_with(label).then_some((label, body))
}

fn base64_lines(body: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Zeroizing<String> =
        Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    STANDARD.decode(compact.as_bytes()).ok().map(Zeroizing::new)
}

/// A new private key, as `openssl genpkey` writes it.
#[cfg(test)]
pub(super) fn new_key_for_tests() -> String {
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let body = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_and_its_public_half_verifies_these_bytes_alone() {
        let key = ImageSigningKey::of_pem(new_key_for_tests().as_bytes()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let signature = runtime.block_on(key.sign(b"payload")).unwrap();
        let public = ImagePublicKey::of_pem(&key.public_key().pem()).unwrap();
        assert_eq!(public, key.public_key());
        assert!(public.verifies(b"payload", &signature));
        assert!(!public.verifies(b"payloaD", &signature));
        assert!(!public.verifies(b"payload", &signature[1..]));
    }

    #[test]
    fn other_keys_are_refused_by_what_they_are_and_no_error_repeats_them() {
        let other = |text: &str| match ImageSigningKey::of_pem(text.as_bytes()) {
            Ok(_) => panic!("a key in {text}"),
            Err(error) => error,
        };
        let cosign = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nYQ==\n\
                      -----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
        assert_eq!(other(cosign), SigningKeyError::Encrypted);
        let old = "-----BEGIN EC PRIVATE KEY-----\nYQ==\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(other(old), SigningKeyError::OldForm);
        let certificate = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
        assert!(matches!(other(certificate), SigningKeyError::OtherContent(_)));
        let broken = new_key_for_tests().replacen("MIG", "MIH", 1);
        for odd in ["", "canary", "-----BEGIN PRIVATE KEY-----\ncanary-!!", &broken] {
            let error = other(odd);
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_key_file_that_everybody_may_read_is_refused_with_the_command_that_mends_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cosign.key");
        fs::write(&path, new_key_for_tests()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let refused = ImageSigningKey::of_file(&path).unwrap_err().to_string();
        assert!(refused.contains("everybody on this host may read it"), "{refused}");
        assert!(refused.contains("chmod 0600"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(ImageSigningKey::of_file(&path).is_ok());
    }
}
