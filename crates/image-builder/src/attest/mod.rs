//! What is said about an image beside it in the registry: what is in it (CycloneDX), how it was built (SLSA
//! provenance), and that it was promoted (a signature that cosign verifies).
//!
//! It decides nothing about the image. Statements are pure functions of what is given; `artifact_upload`
//! alone talks to a registry, and `signing_key` to KMS.

mod artifact_upload;
mod attestation;
mod bill_of_materials;
mod image_signature;
mod layer_packages;
mod oci_artifact;
mod package_metadata;
mod provenance;
mod signing_key;

pub use artifact_upload::{ReferrerPlace, sign_image, upload_artifact, verify_signature};
pub use attestation::{LayerFile, WrittenAttestations, attest_image};
pub use bill_of_materials::{AttestedImage, SBOM_TYPE, bill_of_materials};
pub use image_signature::{ImageSignature, signature_tag};
pub use layer_packages::{DistributionRelease, LayerPackages};
pub use oci_artifact::{
    ArtifactDescriptor, INDEX_TYPE, MANIFEST_TYPE, OciArtifact, ReferrersIndex, referrers_tag,
    sha256_of,
};
pub use package_metadata::{InstalledPackage, PackageKind};
pub use provenance::{
    BuildProvenance, CompressionProvenance, PROVENANCE_TYPE, ScanProvenance, setting_names,
};
pub use signing_key::{ImagePublicKey, ImageSigningKey, SigningKeyError};
