//! One repository of a registry: blobs and manifests are looked for, uploaded and read, one request at a
//! time.
//!
//! It retries nothing, and decides nothing about images. An upload goes to the registry's own server alone;
//! a download may be redirected, without the login. The repository is never created by other means than a
//! push.
//!
//! Source: OCI distribution specification 1.1.

mod repository_listing;
mod session_exchange;

use std::sync::Mutex;
use std::time::Duration;

use fargate_aws::{AwsAccount, StreamedAnswer, StreamedBody};
use url::Url;
use zeroize::Zeroizing;

use crate::credentials::RegistryCredentials;
use crate::exchange::RegistryExchange;
use crate::image_reference::ImageReference;
use crate::manifest::ACCEPTED;
use crate::repository_error::RepositoryError;
use session_exchange::RepositoryRequest;

/// Longest manifest. Source: OCI distribution specification, "Pushing Manifests": at least 4 MiB are taken.
const LONGEST_MANIFEST: usize = 4 * 1024 * 1024;
/// Time for the login and for the question whether a registry speaks TLS.
const LOGIN_TIME: Duration = Duration::from_secs(20);

/// What a session may do in its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryRights {
    /// Read.
    Pull,
    /// Read and write.
    PullAndPush,
    /// Read and delete.
    PullAndDelete,
}

/// How a repository is reached.
#[derive(Clone, Debug)]
pub struct RepositoryAccess {
    /// Registry and repository; tag or digest do not matter.
    pub image: ImageReference,
    /// User and password, if there are any.
    pub credentials: Option<RegistryCredentials>,
    /// What is to be done.
    pub rights: RepositoryRights,
    /// Repositories of the same registry from which blobs may be mounted.
    pub mount_from: Vec<String>,
    /// Registries, with their ports, that may be asked without TLS. This machine always may.
    pub insecure: Vec<String>,
    /// How long a transfer may stand still.
    pub stall: Duration,
}

/// One repository, with the login that it asked for.
#[derive(Debug)]
pub struct RepositorySession {
    account: AwsAccount,
    access: RepositoryAccess,
    base: Url,
    authorization: Mutex<Option<Zeroizing<String>>>,
}

/// Where the bytes of one upload go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPlace(Url);

/// A blob that may be in another repository.
#[derive(Debug)]
pub enum BlobMount {
    /// It is in this repository now.
    Mounted,
    /// It must be uploaded, here.
    Upload(UploadPlace),
}

/// A manifest as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// The media type that the registry names.
    pub media_type: String,
}

impl RepositorySession {
    /// Finds out whether the registry speaks TLS. Nobody logs in yet.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::NotReached`].
    pub async fn open(
        access: RepositoryAccess,
        account: &AwsAccount,
    ) -> Result<Self, RepositoryError> {
        let exchange = RegistryExchange::begin(account, LOGIN_TIME);
        let base = exchange.base_url(access.image.host(), &access.insecure).await;
        let registry = access.image.registry().to_owned();
        let doing = "looking for the registry".to_owned();
        let base = base.map_err(|error| RepositoryError::NotReached {
            registry,
            doing,
            error: Box::new(error),
        })?;
        Ok(Self { account: account.clone(), access, base, authorization: Mutex::default() })
    }

    /// Whether the repository has the blob.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn has_blob(&self, digest: &str) -> Result<bool, RepositoryError> {
        let doing = format!("looking for the blob {digest}");
        let url = self.url(&doing, &format!("blobs/{digest}"))?;
        let mut answer = self.read(&doing, "HEAD", url, None).await?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(self.refusal(&doing, &mut answer).await),
        }
    }

    /// Begins an upload.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn begin_upload(&self) -> Result<UploadPlace, RepositoryError> {
        let doing = "beginning an upload";
        let url = self.url(doing, "blobs/uploads/")?;
        let mut answer = self.write(&RepositoryRequest::post(doing, url)).await?;
        self.upload_place(doing, &mut answer).await
    }

    /// Takes the blob from another repository of the registry if that has it; else begins an upload.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn mount(&self, digest: &str, from: &str) -> Result<BlobMount, RepositoryError> {
        let doing = format!("mounting the blob {digest} from {from}");
        let mut url = self.url(&doing, "blobs/uploads/")?;
        url.query_pairs_mut().append_pair("mount", digest).append_pair("from", from);
        let mut answer = self.write(&RepositoryRequest::post(&doing, url)).await?;
        match answer.status {
            201 => Ok(BlobMount::Mounted),
            // It may not read there, or does not do it: the upload is what remains.
            401 | 403 | 404 | 405 => self.begin_upload().await.map(BlobMount::Upload),
            _ => self.upload_place(&doing, &mut answer).await.map(BlobMount::Upload),
        }
    }

    /// Sends a whole blob in one request.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`]. The upload is over then, and another try needs a new one.
    pub async fn finish_upload(
        &self,
        place: UploadPlace,
        digest: &str,
        length: u64,
        body: StreamedBody,
    ) -> Result<(), RepositoryError> {
        let doing = format!("uploading the blob {digest}");
        let mut url = place.0;
        url.query_pairs_mut().append_pair("digest", digest);
        let length = length.to_string();
        let headers =
            [("content-type", "application/octet-stream"), ("content-length", length.as_str())];
        let request = self.request(&doing, "PUT", &url, &headers, self.authorization())?;
        let mut answer = self.send(&doing, &url, request, Some(body)).await?;
        match answer.status {
            201 | 202 | 204 => Ok(()),
            401 => {
                self.set_authorization(None);
                Err(self.refusal_as(&doing, &mut answer, false).await)
            }
            _ => Err(self.refusal(&doing, &mut answer).await),
        }
    }

    /// Ends an upload without a blob. A registry that does not know it any more, or cannot do this, removes
    /// it by itself later.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`], if the registry was not reached.
    pub async fn cancel_upload(&self, place: UploadPlace) -> Result<(), RepositoryError> {
        let doing = "ending an upload";
        let request =
            RepositoryRequest { doing, method: "DELETE", url: place.0, headers: &[], body: &[] };
        self.write(&request).await.map(drop)
    }

    /// Writes a manifest under a tag or its digest. `body` is sent byte by byte as it is.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn put_manifest(
        &self,
        version: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<(), RepositoryError> {
        let doing = format!("writing the manifest {version}");
        let url = self.url(&doing, &format!("manifests/{version}"))?;
        let headers = &[("content-type", media_type)];
        let request = RepositoryRequest { doing: &doing, method: "PUT", url, headers, body };
        let mut answer = self.write(&request).await?;
        match answer.status {
            200..=204 => Ok(()),
            _ => Err(self.refusal(&doing, &mut answer).await),
        }
    }

    /// The manifest of a tag or digest; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn manifest(&self, version: &str) -> Result<Option<StoredManifest>, RepositoryError> {
        let doing = format!("reading the manifest {version}");
        let url = self.url(&doing, &format!("manifests/{version}"))?;
        let mut answer = self.read(&doing, "GET", url, Some(ACCEPTED)).await?;
        match answer.status {
            200 => {
                let media_type = answer.header("content-type").unwrap_or_default().to_owned();
                let bytes = answer.whole(LONGEST_MANIFEST).await;
                let bytes = bytes.map_err(|error| self.not_reached(&doing, error))?;
                Ok(Some(StoredManifest { bytes, media_type }))
            }
            404 => Ok(None),
            _ => Err(self.refusal(&doing, &mut answer).await),
        }
    }

    /// The index of what refers to a digest; `None` if the registry does not keep one.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn referrers(&self, digest: &str) -> Result<Option<Vec<u8>>, RepositoryError> {
        let doing = format!("listing what refers to {digest}");
        let url = self.url(&doing, &format!("referrers/{digest}"))?;
        let mut answer = self.read(&doing, "GET", url, Some(ACCEPTED)).await?;
        match answer.status {
            200 => {
                let bytes = answer.whole(LONGEST_MANIFEST).await;
                bytes.map(Some).map_err(|error| self.not_reached(&doing, error))
            }
            404 => Ok(None),
            _ => Err(self.refusal(&doing, &mut answer).await),
        }
    }

    /// Reads a blob, from whatever server the registry names.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn blob(&self, digest: &str) -> Result<StreamedAnswer, RepositoryError> {
        let doing = format!("reading the blob {digest}");
        let url = self.url(&doing, &format!("blobs/{digest}"))?;
        let mut answer = self.read(&doing, "GET", url, None).await?;
        match answer.status {
            200 => Ok(answer),
            _ => Err(self.refusal(&doing, &mut answer).await),
        }
    }

    /// What this session reaches.
    #[must_use]
    pub fn access(&self) -> &RepositoryAccess {
        &self.access
    }

    async fn upload_place(
        &self,
        doing: &str,
        answer: &mut StreamedAnswer,
    ) -> Result<UploadPlace, RepositoryError> {
        // 201 without a mount is not in the specification, but some registries say it.
        if !matches!(answer.status, 201 | 202) {
            return Err(self.refusal(doing, answer).await);
        }
        let Some(place) = answer.header("location") else {
            return Err(self.unusable(doing, "the answer names no place for the upload".to_owned()));
        };
        let url = self.base.join(place);
        let url =
            url.map_err(|_| self.unusable(doing, "the upload's place is no URL".to_owned()))?;
        self.require_own(doing, &url)?;
        Ok(UploadPlace(url))
    }

    /// An upload's place on another server would get the login and the image.
    fn require_own(&self, doing: &str, url: &Url) -> Result<(), RepositoryError> {
        if url.origin() == self.base.origin() {
            return Ok(());
        }
        let place = fargate_model::text::escape_within(&url.origin().ascii_serialization(), 120);
        Err(RepositoryError::ForeignPlace { registry: self.registry(), doing: doing.into(), place })
    }
}
