//! Sends a request to a server that is not of AWS, such as a registry of images, on the way on which this
//! host reaches AWS: the same proxies, trusted certificates and time-outs.
//!
//! It signs nothing, follows no redirect and retries nothing.

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use tokio::time::timeout;

use crate::account::AwsAccount;
use crate::call::CallError;

impl AwsAccount {
    /// Sends the request and reads the whole answer, whatever its status. It takes at most the time of
    /// one attempt. `who` names the server in errors.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if no complete answer came.
    pub async fn fetch(&self, who: &str, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let settings = self.connection();
        let answer = timeout(self.attempt, self.http.send(request, &settings)).await;
        let ms = self.attempt.as_millis();
        let late = |_| CallError::NoAnswer { text: format!("{who} did not answer within {ms} ms") };
        answer.map_err(late)?.map_err(|error| CallError::of_connector(&error, &self.masker))
    }
}
