//! The endpoint at which a task's containers get temporary credentials of the task's role, as at
//! 169.254.170.2 on Fargate. It has a port of its own and speaks plain HTTP, even where the cloud itself
//! speaks TLS, because that is what clients expect there.
//!
//! Who knows the path of a task is answered. The path is random, and only the task's containers get it.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::page_guard::keep_pages_out;
use crate::cloud::CloudInstance;
use crate::task_roles::RoleCredentials;
use crate::wire::timestamp;

/// Tasks share the network of this machine, so they reach it there.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Answers requests until the cloud closes.
pub fn answer(
    listener: TcpListener,
    cloud: Arc<CloudInstance>,
    mut closed: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    let service = Router::new().fallback(handle).with_state(cloud);
    async move {
        let closing = async move {
            // An error means that the owner was dropped, which closes as well.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        // It never fails: the listener continues to accept after errors.
        let _ = axum::serve(listener, service).with_graceful_shutdown(closing).await;
    }
}

async fn handle(State(cloud): State<Arc<CloudInstance>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(refused) = keep_pages_out(&parts, ADDRESS) {
        return respond(StatusCode::FORBIDDEN, &refusal("AccessDenied", &refused.to_string()));
    }
    let now = cloud.clock.now();
    let path = parts.uri.path();
    let given = match parts.method {
        Method::GET => cloud.task_roles.credentials(path, &cloud.keys, now),
        _ => None,
    };
    match given {
        Some(given) => respond(StatusCode::OK, &shape(&given)),
        None => {
            let refusal =
                refusal("InvalidIdInRequest", "CredentialsV2Request: Credentials not found");
            respond(StatusCode::BAD_REQUEST, &refusal)
        }
    }
}

/// Source of the members: Amazon ECS Developer Guide, "Task IAM role".
fn shape(RoleCredentials { role_arn, issued }: &RoleCredentials) -> Value {
    json!({
        "RoleArn": role_arn,
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.secret_access_key,
        "Token": issued.session_token,
        "Expiration": timestamp::iso_date(issued.expires_at),
    })
}

/// Source of the members: the task metadata server of the ECS agent.
fn refusal(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message, "HTTPErrorCode": 400 })
}

fn respond(status: StatusCode, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Body::from(body.to_string()))
        .expect("a status and plain headers make a response")
}
