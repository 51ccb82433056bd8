//! The one question to Service Quotas: how much of something the account may have in this Region.
//!
//! The calls are made once; the caller repeats them if needed. It judges no number.
//!
//! Source: Service Quotas API Reference, version 2019-06-24, `GetServiceQuota` and
//! `GetAWSDefaultServiceQuota`.

use serde_json::{Value, json};

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::json_refusal::refusal;
use crate::signed_request::UnsignedRequest;

const WHO: &str = "Service Quotas";
/// Longest answer that is read, in bytes. One quota has about 1 KiB.
const LONGEST: usize = 64 * 1024;
const APPLIED: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "ServiceQuotasV20190624.GetServiceQuota"),
];
const DEFAULT: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "ServiceQuotasV20190624.GetAWSDefaultServiceQuota"),
];

/// A quota of AWS, by its codes. Source: the names of the quotas in the console of Service Quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceQuota {
    /// vCPU of all tasks on demand at the same time.
    FargateOnDemandVcpu,
    /// vCPU of all tasks on Spot at the same time.
    FargateSpotVcpu,
    /// Network interfaces in a Region. Each task has one.
    NetworkInterfaces,
}

impl ServiceQuota {
    /// The code of its service.
    #[must_use]
    pub fn service(self) -> &'static str {
        match self {
            Self::FargateOnDemandVcpu | Self::FargateSpotVcpu => "fargate",
            Self::NetworkInterfaces => "vpc",
        }
    }

    /// Its own code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::FargateOnDemandVcpu => "L-3032A538",
            Self::FargateSpotVcpu => "L-36FBB829",
            Self::NetworkInterfaces => "L-DF5E4CA3",
        }
    }
}

impl AwsAccount {
    /// The quota of this account in this Region. If the account has none of its own, that is the default of
    /// AWS.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed.
    pub async fn service_quota(&self, quota: ServiceQuota) -> Result<f64, CallError> {
        let asked = json!({ "ServiceCode": quota.service(), "QuotaCode": quota.code() });
        let applied = self.ask_quota(APPLIED, "servicequotas:GetServiceQuota", &asked).await;
        let has_none = |error: &CallError| matches!(error, CallError::Answered { code, .. } if code == "NoSuchResourceException");
        match applied {
            Err(CallError::Elsewhere { error, .. }) if has_none(&error) => {
                let right = "servicequotas:GetAWSDefaultServiceQuota";
                self.ask_quota(DEFAULT, right, &asked).await
            }
            answer => answer,
        }
    }

    async fn ask_quota(
        &self,
        headers: &[(&'static str, &'static str)],
        right: &'static str,
        asked: &Value,
    ) -> Result<f64, CallError> {
        let endpoint = self.endpoint("servicequotas");
        let question = UnsignedRequest {
            who: WHO,
            service: "servicequotas",
            region: &self.region,
            endpoint: endpoint.clone(),
            headers,
            body: asked.to_string(),
            longest: LONGEST,
        };
        let answer = self.ask(question).await.and_then(|said| match said.status {
            200..300 => value(&said.body),
            _ => Err(self.judged(refusal(&said, &self.masker))),
        });
        answer.map_err(|error| CallError::Elsewhere {
            service: WHO,
            endpoint,
            right,
            error: Box::new(error),
        })
    }
}

fn value(body: &str) -> Result<f64, CallError> {
    let read: Option<Value> = serde_json::from_str(body).ok();
    let value = read.and_then(|read| read.pointer("/Quota/Value")?.as_f64());
    value.ok_or_else(|| CallError::Unreadable {
        text: format!("{WHO}'s answer has no value of a quota"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_number_and_an_odd_answer_an_error() {
        let body = r#"{"Quota": {"QuotaCode": "L-3032A538", "Value": 64.0, "Adjustable": true}}"#;
        assert_eq!(value(body).unwrap(), 64.0);
        for odd in ["", "{}", "[]", r#"{"Quota": {"Value": "64"}}"#, r#"{"Quota": null}"#] {
            assert!(value(odd).is_err(), "{odd}");
        }
    }
}
