//! `GetServiceQuota`, `GetAWSDefaultServiceQuota` and `ListServiceQuotas`.
//!
//! Source, for shape and errors: Service Quotas API Reference.

use serde_json::{Value, json};

use super::quota_store::{KNOWN, KnownQuota, QuotaStore, find};
use crate::account::ACCOUNT;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    GetServiceQuota {
        service_code: String = "ServiceCode",
        quota_code: String = "QuotaCode",
    }
    GetDefaultQuota {
        service_code: String = "ServiceCode",
        quota_code: String = "QuotaCode",
    }
    ListServiceQuotas {
        service_code: String = "ServiceCode",
        next_token: String = "NextToken",
        max_results: i32 = "MaxResults",
        quota_code: String = "QuotaCode",
    }
}

impl JsonRequest for GetServiceQuota {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let quota = asked(self.service_code.as_deref(), self.quota_code.as_deref())?;
        Ok(json!({ "Quota": shown(quota, current(context, quota), Some(context)) }))
    }
}

impl JsonRequest for GetDefaultQuota {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let quota = asked(self.service_code.as_deref(), self.quota_code.as_deref())?;
        let _ = context;
        Ok(json!({ "Quota": shown(quota, quota.default, None) }))
    }
}

impl JsonRequest for ListServiceQuotas {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let service = self.service_code.ok_or_else(|| argument("ServiceCode"))?;
        let of_service: Vec<_> = KNOWN.iter().filter(|quota| quota.service == service).collect();
        if of_service.is_empty() {
            return Err(missing());
        }
        // All of them fit one page, whatever its size: a page has at least one.
        let quotas = of_service
            .into_iter()
            .filter(|quota| self.quota_code.as_deref().is_none_or(|code| code == quota.code));
        let quotas = quotas.map(|quota| shown(quota, current(context, quota), Some(context)));
        Ok(json!({ "Quotas": quotas.collect::<Vec<_>>() }))
    }
}

fn asked(
    service: Option<&str>,
    code: Option<&str>,
) -> Result<&'static KnownQuota, ServiceException> {
    let service = service.ok_or_else(|| argument("ServiceCode"))?;
    let code = code.ok_or_else(|| argument("QuotaCode"))?;
    find(service, code).ok_or_else(missing)
}

fn current(context: &RequestContext<'_>, quota: &KnownQuota) -> f64 {
    context.cloud.states.of::<QuotaStore>().value(quota)
}

/// A quota of the account in a Region, or the default, which has no account.
fn shown(quota: &KnownQuota, value: f64, place: Option<&RequestContext<'_>>) -> Value {
    let KnownQuota { service, service_name, code, name, .. } = quota;
    let arn = match place {
        Some(context) => {
            let (partition, region) = (context.partition(), context.region);
            format!("arn:{partition}:servicequotas:{region}:{ACCOUNT}:{service}/{code}")
        }
        None => format!("arn:aws:servicequotas:::{service}/{code}"),
    };
    json!({
        "ServiceCode": service, "ServiceName": service_name, "QuotaArn": arn, "QuotaCode": code,
        "QuotaName": name, "Value": value, "Unit": "None", "Adjustable": true, "GlobalQuota": false,
    })
}

fn missing() -> ServiceException {
    ServiceException::new(
        "NoSuchResourceException",
        "The request failed because the specified service or quota does not exist.",
    )
}

fn argument(member: &str) -> ServiceException {
    ServiceException::new("IllegalArgumentException", format!("{member} is missing."))
}
