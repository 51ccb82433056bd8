//! Whether EC2 would allow a call, by its own answer: the call is checked and not made.
//!
//! Source: Amazon EC2 API Reference, the parameter `DryRun` of each operation: the answer is the error
//! `DryRunOperation` for who has the right, and `UnauthorizedOperation` for who has not.

use crate::account::AwsAccount;
use crate::call::CallError;

/// Longest answer that is read.
const LONGEST: usize = 64 * 1024;

impl AwsAccount {
    /// Whether this identity may make a call of EC2 that needs no parameters. `right` is for example
    /// `ec2:DescribeNetworkInterfaces`; the operation is the part after the colon.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 answers with another error, or if no usable answer comes.
    pub async fn ec2_allows(&self, right: &'static str) -> Result<bool, CallError> {
        let operation = right.split_once(':').map_or(right, |(_, operation)| operation);
        let answer = self.ec2(operation, &[("DryRun".to_owned(), "true")], LONGEST).await;
        match answer {
            // Whoever plays EC2 and knows no dry run has made the call.
            Ok(_) => Ok(true),
            Err(CallError::Answered { code, .. }) if code == "DryRunOperation" => Ok(true),
            Err(CallError::Answered { code, .. }) if code == "UnauthorizedOperation" => Ok(false),
            Err(error) => Err(self.of_ec2(right, error)),
        }
    }
}
