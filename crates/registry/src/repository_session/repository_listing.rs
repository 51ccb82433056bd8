//! What a repository holds: its tags, page by page, and the digest that each of them has. It also deletes one
//! manifest.
//!
//! A registry lists no manifest that has no tag. It retries nothing; a list that does not come whole is a
//! failure.
//!
//! Source: OCI distribution specification 1.1, "Listing Tags" and "Deleting Manifests".

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::session_exchange::RepositoryRequest;
use super::{RepositoryError, RepositorySession};
use crate::image_reference::is_digest;
use crate::manifest::ACCEPTED;

/// Tags that are asked for at once. Registries may send fewer.
const PAGE: usize = 1000;
/// Most pages. Ours: ECR keeps at most 100,000 images in a repository, in pages of 1,000.
const MOST_PAGES: usize = 1000;
/// Longest page.
const LONGEST_PAGE: usize = 4 * 1024 * 1024;

#[derive(serde::Deserialize)]
struct TagPage {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl RepositorySession {
    /// Every tag of the repository, sorted. A repository that does not exist has none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`], also if the list does not end.
    pub async fn tags(&self) -> Result<BTreeSet<String>, RepositoryError> {
        let doing = "listing the tags";
        let mut url = self.url(doing, "tags/list")?;
        url.query_pairs_mut().append_pair("n", &PAGE.to_string());
        let mut found = BTreeSet::new();
        for _ in 0..MOST_PAGES {
            let mut answer = self.read(doing, "GET", url.clone(), None).await?;
            match answer.status {
                200 => {}
                404 if found.is_empty() => return Ok(found),
                _ => return Err(self.refusal(doing, &mut answer).await),
            }
            let next = answer.header("link").and_then(next_page).map(str::to_owned);
            let bytes = answer.whole(LONGEST_PAGE).await;
            let bytes = bytes.map_err(|error| self.not_reached(doing, error))?;
            let page: TagPage = serde_json::from_slice(&bytes)
                .map_err(|_| self.unusable(doing, "the list is no JSON as documented".into()))?;
            found.extend(page.tags.unwrap_or_default());
            let Some(next) = next else { return Ok(found) };
            url = url
                .join(&next)
                .map_err(|_| self.unusable(doing, "a next page at no URL".into()))?;
            // The login goes with the request.
            self.require_own(doing, &url)?;
        }
        Err(self.unusable(doing, format!("the list has more than {MOST_PAGES} pages")))
    }

    /// The digest of a tag or digest, without the manifest; `None` if the repository has none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn manifest_digest(&self, version: &str) -> Result<Option<String>, RepositoryError> {
        let doing = format!("looking for the manifest {version}");
        let url = self.url(&doing, &format!("manifests/{version}"))?;
        let mut answer = self.read(&doing, "HEAD", url, Some(ACCEPTED)).await?;
        match answer.status {
            200 => {}
            404 => return Ok(None),
            _ => return Err(self.refusal(&doing, &mut answer).await),
        }
        if let Some(digest) = answer.header("docker-content-digest").filter(|text| is_digest(text))
        {
            return Ok(Some(digest.to_owned()));
        }
        // The header is optional.
        let manifest = self.manifest(version).await?;
        let digest = |bytes: &[u8]| format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        Ok(manifest.map(|manifest| digest(&manifest.bytes)))
    }

    /// Deletes the manifest with this digest and every tag of it. One that is gone already is a success:
    /// `false`.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`]. A registry may have deletion switched off: HTTP status 405.
    pub async fn delete_manifest(&self, digest: &str) -> Result<bool, RepositoryError> {
        let doing = format!("deleting the manifest {digest}");
        let url = self.url(&doing, &format!("manifests/{digest}"))?;
        let request =
            RepositoryRequest { doing: &doing, method: "DELETE", url, headers: &[], body: &[] };
        let mut answer = self.write(&request).await?;
        match answer.status {
            200..=204 => Ok(true),
            404 => Ok(false),
            _ => Err(self.refusal(&doing, &mut answer).await),
        }
    }
}

/// The URL of `<URL>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let (url, relation) = link.trim().strip_prefix('<')?.split_once('>')?;
    relation.replace('"', "").contains("rel=next").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_one_that_the_header_calls_next() {
        let first = "</v2/a/tags/list?last=b&n=2>; rel=\"next\"";
        assert_eq!(next_page(first), Some("/v2/a/tags/list?last=b&n=2"));
        assert_eq!(next_page("<https://r.example/x>;rel=next"), Some("https://r.example/x"));
        for other in ["", "</x>; rel=\"prev\"", "/x; rel=next", "</x"] {
            assert_eq!(next_page(other), None, "{other}");
        }
    }
}
