//! A signature of an image as cosign writes and reads it: the payload that names the image's digest, and the
//! manifest under the tag `sha256-DIGEST.sig` that holds payload and signature.
//!
//! It needs no transparency log: who has the public key can verify. It sends nothing.
//!
//! Source: cosign, `specs/SIGNATURE_SPEC.md`; "Simple signing" of Red Hat for the payload.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fargate_image_manifest::ImageDigest;
use fargate_model::text::escape_within;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::oci_artifact::{ArtifactDescriptor, MANIFEST_TYPE, sha256_of};
use super::signing_key::{ImagePublicKey, ImageSigningKey};
use crate::failure::ImageFailure;

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE_KEY: &str = "dev.cosignproject.cosign/signature";
const PAYLOAD_KIND: &str = "cosign container image signature";
/// Most signatures that one image is given. Ours.
const MAX_SIGNATURES: usize = 50;

/// The tag under which cosign looks for the signatures of an image.
#[must_use]
pub fn signature_tag(digest: &ImageDigest) -> String {
    format!("{}.sig", digest.as_str().replacen(':', "-", 1))
}

/// A payload and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSignature {
    /// What is signed: JSON that names repository and digest.
    pub payload: Vec<u8>,
    /// ECDSA of its SHA-256, in DER.
    pub signature: Vec<u8>,
}

#[derive(Deserialize)]
struct SignedPayload {
    critical: SignedClaims,
}

#[derive(Deserialize)]
struct SignedClaims {
    image: SignedImage,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SignedImage {
    #[serde(rename = "docker-manifest-digest")]
    digest: ImageDigest,
}

impl ImageSignature {
    /// Signs an image of `repository`.
    ///
    /// # Errors
    ///
    /// As [`ImageSigningKey::sign`].
    pub async fn sign(
        repository: &str,
        digest: &ImageDigest,
        key: &ImageSigningKey<'_>,
    ) -> Result<Self, ImageFailure> {
        let payload = payload(repository, digest);
        let signature = key.sign(&payload).await?;
        Ok(Self { payload, signature })
    }

    /// Whether it is a signature of this image by this key.
    #[must_use]
    pub fn is_of(&self, digest: &ImageDigest, key: &ImagePublicKey) -> bool {
        let claims = serde_json::from_slice::<SignedPayload>(&self.payload).ok();
        let names_it = claims.is_some_and(|SignedPayload { critical }| {
            critical.kind == PAYLOAD_KIND && critical.image.digest == *digest
        });
        names_it && key.verifies(&self.payload, &self.signature)
    }
}

/// The payload, with the members in the order in which cosign writes them.
fn payload(repository: &str, digest: &ImageDigest) -> Vec<u8> {
    let repository = Value::from(repository);
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":{repository}}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{PAYLOAD_KIND}"}},"optional":null}}"#
    )
    .into_bytes()
}

/// One layer of the manifest with signatures: a payload, and the signature in an annotation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct SignatureLayer {
    #[serde(flatten)]
    descriptor: ArtifactDescriptor,
    #[serde(default)]
    annotations: Map<String, Value>,
}

/// The signatures that stand under [`signature_tag`]. Those of others are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignatureList {
    layers: Vec<SignatureLayer>,
}

/// What is pushed for a signature: blobs, then the manifest under [`signature_tag`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureUpload {
    /// What each blob is, and its bytes. Payloads of former signatures are in the registry already.
    pub blobs: Vec<(ArtifactDescriptor, Vec<u8>)>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// What names the manifest.
    pub descriptor: ArtifactDescriptor,
}

#[derive(Deserialize)]
struct RawSignatureManifest {
    layers: Vec<SignatureLayer>,
}

impl SignatureList {
    /// Reads the manifest under the tag.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words for people.
    pub fn parse(manifest: &[u8]) -> Result<Self, String> {
        let read: RawSignatureManifest = serde_json::from_slice(manifest)
            .map_err(|error| escape_within(&format!("it lists no signatures: {error}"), 200))?;
        match read.layers.len() {
            0..=MAX_SIGNATURES => Ok(Self { layers: read.layers }),
            n => Err(format!("it has {n} signatures; at most {MAX_SIGNATURES} are read")),
        }
    }

    /// The payload of each signature, to be fetched, with the signature.
    pub fn signed(&self) -> impl Iterator<Item = (&ArtifactDescriptor, Vec<u8>)> {
        let layers = self.layers.iter().filter(|l| l.descriptor.media_type == PAYLOAD_TYPE);
        layers.filter_map(|layer| {
            let text = layer.annotations.get(SIGNATURE_KEY)?.as_str()?;
            Some((&layer.descriptor, STANDARD.decode(text).ok()?))
        })
    }

    /// The manifest with one more signature.
    #[must_use]
    pub fn with(mut self, added: &ImageSignature) -> SignatureUpload {
        let descriptor = ArtifactDescriptor::of(PAYLOAD_TYPE, &added.payload);
        let text = STANDARD.encode(&added.signature);
        let annotations = Map::from_iter([(SIGNATURE_KEY.to_owned(), Value::from(text))]);
        self.layers.push(SignatureLayer { descriptor: descriptor.clone(), annotations });
        let config = self.config();
        let config_descriptor = ArtifactDescriptor::of(CONFIG_TYPE, &config);
        let layers = self.layers.iter().map(|SignatureLayer { descriptor: of, annotations }| {
            json!({ "mediaType": of.media_type, "size": of.size, "digest": of.digest,
                    "annotations": annotations })
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config_descriptor,
            "layers": layers.collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        SignatureUpload {
            blobs: vec![(config_descriptor, config), (descriptor, added.payload.clone())],
            descriptor: ArtifactDescriptor::of(MANIFEST_TYPE, &manifest),
            manifest,
        }
    }

    /// The configuration of an image for no processor, as cosign writes it: some registries read it.
    fn config(&self) -> Vec<u8> {
        let layers = self.layers.iter().map(|layer| layer.descriptor.digest.as_str());
        json!({
            "architecture": "", "created": "0001-01-01T00:00:00Z", "os": "", "config": {},
            "history": [{ "created": "0001-01-01T00:00:00Z" }],
            "rootfs": { "type": "layers", "diff_ids": layers.collect::<Vec<_>>() },
        })
        .to_string()
        .into_bytes()
    }
}

/// Whether one of these payloads, each with its signature, is of this image by this key. A payload with
/// other bytes than its descriptor says does not count.
#[must_use]
pub fn is_signed(
    signed: &[(ArtifactDescriptor, Vec<u8>, Vec<u8>)],
    digest: &ImageDigest,
    key: &ImagePublicKey,
) -> bool {
    signed.iter().any(|(descriptor, payload, signature)| {
        let read = ImageSignature { payload: payload.clone(), signature: signature.clone() };
        sha256_of(payload) == descriptor.digest && read.is_of(digest, key)
    })
}

#[cfg(test)]
mod tests {
    use super::super::signing_key::new_key_for_tests;
    use super::*;

    /// A signature that cosign made and its transparency log keeps: entry 63825695 of rekor.sigstore.dev, of
    /// the image `ghcr.io/r3drun3/immunize/docker.io/library/node`.
    const COSIGN_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2ZobFTItyOXob9pKspR0aDSaXjVj\n\
        DEp8brDskB6OnMUx7GQEblD2RDBBmP5TAKvspay2syp4Z+5s2V69vS8OKg==\n\
        -----END PUBLIC KEY-----\n";
    const COSIGN_SIGNATURE: &str = "MEYCIQC1zu0j7Yz5KQjpaNlNy/FJTOqPgI8Dw+mTzgk8GbcWYgIhANPZO47LSoqo60bXYwxij5JACVlif6ivjS6UZFRL0wi3";
    const COSIGN_PAYLOAD_SHA256: &str =
        "sha256:62c55fa4d1219a99eba293ca4c3b6ab7f5cd16a9b1f2f69ea49f3cdd8dc88870";

    fn cosign_digest() -> ImageDigest {
        "sha256:19940c59087a363148b44c56447186d97d6afbc2165727b2d0a2ea0ce43b69fd".parse().unwrap()
    }

    #[test]
    fn our_payload_has_the_bytes_that_cosign_signed_and_its_signature_verifies() {
        let repository = "ghcr.io/r3drun3/immunize/docker.io/library/node";
        let payload = payload(repository, &cosign_digest());
        assert_eq!(sha256_of(&payload).as_str(), COSIGN_PAYLOAD_SHA256);
        let signature = STANDARD.decode(COSIGN_SIGNATURE).unwrap();
        let read = ImageSignature { payload, signature };
        let key = ImagePublicKey::of_pem(COSIGN_KEY).unwrap();
        assert!(read.is_of(&cosign_digest(), &key));
        assert!(!read.is_of(&sha256_of(b"another image"), &key));
        assert_eq!(key.pem(), COSIGN_KEY);
    }

    #[tokio::test]
    async fn a_signature_counts_for_its_image_and_key_alone_and_those_of_others_are_kept() {
        let key = ImageSigningKey::of_pem(new_key_for_tests().as_bytes()).unwrap();
        let other_key = ImageSigningKey::of_pem(new_key_for_tests().as_bytes()).unwrap();
        let image = sha256_of(b"image");
        let signature = ImageSignature::sign("r.example/ci", &image, &key).await.unwrap();
        let first = SignatureList::default().with(&signature);
        let theirs = ImageSignature::sign("r.example/ci", &image, &other_key).await.unwrap();
        let both = SignatureList::parse(&first.manifest).unwrap().with(&theirs);
        let list = SignatureList::parse(&both.manifest).unwrap();
        let signed: Vec<_> = list
            .signed()
            .zip([&signature, &theirs])
            .map(|((of, bytes), made)| (of.clone(), made.payload.clone(), bytes))
            .collect();
        assert_eq!(signed.len(), 2);
        assert!(is_signed(&signed, &image, &key.public_key()));
        assert!(is_signed(&signed[1..], &image, &other_key.public_key()));
        assert!(!is_signed(&signed[1..], &image, &key.public_key()));
        assert!(!is_signed(&signed, &sha256_of(b"image 2"), &key.public_key()));
    }

    #[test]
    fn a_payload_that_names_another_kind_or_no_digest_is_no_signature() {
        let key = ImagePublicKey::of_pem(COSIGN_KEY).unwrap();
        for odd in ["", "{}", "[]", r#"{"critical":{"image":{},"type":""}}"#] {
            let signature = STANDARD.decode(COSIGN_SIGNATURE).unwrap();
            let odd = ImageSignature { payload: odd.as_bytes().to_vec(), signature };
            assert!(!odd.is_of(&cosign_digest(), &key));
        }
        assert!(SignatureList::parse(b"<html>").is_err());
        let layers = vec![
            r#"{"mediaType":"m","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;
            51
        ];
        let many = format!(r#"{{"layers":[{}]}}"#, layers.join(","));
        assert!(SignatureList::parse(many.as_bytes()).unwrap_err().contains("51 signatures"));
    }
}
