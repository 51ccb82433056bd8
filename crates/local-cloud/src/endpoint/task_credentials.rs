//! The endpoint at which a task's containers get temporary credentials of the task's role, as at
//! 169.254.170.2 on Fargate. It listens at each address by which tasks reach this machine, as soon as a
//! task with a role needs it: loopback for processes, and the bridge of each subnet for containers of an
//! engine. Its ports are its own, and it speaks plain HTTP, even where the cloud itself speaks TLS, because
//! that is what clients expect there.
//!
//! Who knows the path of a task is answered. The path is random, and only the task's containers get it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::connection::{ConnectionControl, EndpointListener};
use super::page_guard::keep_pages_out;
use crate::cloud::CloudInstance;
use crate::task_roles::{EndpointOpening, RoleCredentials};
use crate::wire::timestamp;

/// Listens wherever it is asked to, and answers requests until the cloud closes.
pub async fn answer(
    mut openings: mpsc::Receiver<EndpointOpening>,
    cloud: Arc<CloudInstance>,
    closed: watch::Receiver<bool>,
) {
    let mut opened: BTreeMap<IpAddr, SocketAddr> = BTreeMap::new();
    // Dropped together with this, which ends what still listens.
    let mut serving = JoinSet::new();
    loop {
        let asked = tokio::select! {
            () = until_closed(closed.clone()) => break,
            // The cloud holds the sender, so there is always something to come.
            asked = openings.recv() => asked,
        };
        let Some(EndpointOpening { host, opened: answer }) = asked else { break };
        let address = match opened.get(&host) {
            Some(address) => Ok(*address),
            None => listen(host).await.map(|(listener, address)| {
                serving.spawn(serve(listener, Arc::clone(&cloud), closed.clone()));
                opened.insert(host, address);
                address
            }),
        };
        // An error means that the task ended meanwhile.
        let _ = answer.send(address);
    }
    while serving.join_next().await.is_some() {}
}

/// Takes a free port of the address.
async fn listen(host: IpAddr) -> io::Result<(EndpointListener, SocketAddr)> {
    let listener = TcpListener::bind((host, 0)).await?;
    let address = listener.local_addr()?;
    Ok((EndpointListener::new(listener, host, None), address))
}

async fn serve(
    listener: EndpointListener,
    cloud: Arc<CloudInstance>,
    closed: watch::Receiver<bool>,
) {
    let service = Router::new()
        .fallback(handle)
        .with_state(cloud)
        .into_make_service_with_connect_info::<ConnectionControl>();
    // It never fails: the listener continues to accept after errors.
    let _ = axum::serve(listener, service).with_graceful_shutdown(until_closed(closed)).await;
}

async fn until_closed(mut closed: watch::Receiver<bool>) {
    // An error means that the owner was dropped, which closes as well.
    let _ = closed.wait_for(|closed| *closed).await;
}

async fn handle(
    State(cloud): State<Arc<CloudInstance>>,
    ConnectInfo(link): ConnectInfo<ConnectionControl>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(refused) = keep_pages_out(&parts, link.listens_on()) {
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;
    use crate::limits::CloudRateLimits;
    use crate::task_roles::RunningTaskRoles;
    use crate::test_cloud;

    /// The part of the URL for a task before its path, if its endpoint can be opened at `host`.
    async fn place(roles: &RunningTaskRoles, host: [u8; 4], task: &str) -> io::Result<String> {
        let url = roles.url(Ipv4Addr::from(host).into(), task, "ci-task", "aws").await?;
        let url = url.expect("a role of this account");
        Ok(url.split_once("/v2/").expect("the path of ECS").0.replace("http://", ""))
    }

    #[tokio::test]
    async fn it_listens_once_at_each_address_that_tasks_need_until_the_cloud_closes() {
        let cloud = test_cloud::with_limits(CloudRateLimits::none());
        let (roles, openings) = RunningTaskRoles::new();
        let (closing, closed) = watch::channel(false);
        let answering = tokio::spawn(answer(openings, cloud, closed));
        let first = place(&roles, [127, 0, 0, 1], "0f0f").await.expect("loopback");
        assert_eq!(place(&roles, [127, 0, 0, 1], "1e1e").await.expect("loopback"), first);
        let second = place(&roles, [127, 0, 0, 2], "2d2d").await.expect("loopback");
        assert!(first.starts_with("127.0.0.1:") && second.starts_with("127.0.0.2:"), "{second}");
        // An address for documentation, which no machine has.
        let other = place(&roles, [192, 0, 2, 1], "3c3c").await.expect_err("no such address");
        assert_eq!(other.kind(), io::ErrorKind::AddrNotAvailable);
        TcpStream::connect(&second).await.expect("it listens");

        closing.send_replace(true);
        timeout(Duration::from_secs(10), answering).await.expect("in time").expect("no panic");
        for place in [first, second] {
            assert!(TcpStream::connect(&place).await.is_err(), "{place}");
        }
        assert!(place(&roles, [127, 0, 0, 1], "4b4b").await.is_err(), "nobody listens");
    }
}
