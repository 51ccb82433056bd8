//! Proxies that the environment names: the driver uses them where it should, and nowhere else, and
//! blames them only for their own failures.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fargate_local_cloud::IssuedCredentials;
use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE, TestJob};

use crate::answer_server::{AnswerServer, CannedAnswer};
use crate::http_proxy::{HttpProxy, ProxyBehaviour};
use crate::{block, hurry, plays};

/// user:canary-of-the-proxy
const LOGIN: &str = "Basic dXNlcjpjYW5hcnktb2YtdGhlLXByb3h5";
const PASSWORD: &str = "canary-of-the-proxy";

/// The name under which the proxy knows the cloud; nobody else does.
const NAME: &str = "cloud.example";

async fn secure_site() -> (CheckedHost, PathBuf) {
    let site = CheckedHost::open_with(|options| options.tls = true).await;
    let path = site.folder().join("authority.pem");
    let pem = site.cloud().authority().expect("a cloud with TLS").to_owned();
    std::fs::write(&path, pem).expect("a writable folder");
    (site, path)
}

/// Where the cloud listens.
fn place(site: &CheckedHost) -> SocketAddr {
    let endpoint = site.cloud().endpoint();
    endpoint.rsplit('/').next().and_then(|place| place.parse().ok()).expect("an address")
}

/// The endpoint as a job names it that comes through a proxy.
fn named(site: &CheckedHost) -> String {
    site.cloud().endpoint().replace("127.0.0.1", NAME)
}

#[tokio::test]
async fn https_goes_through_a_tunnel_with_its_login_which_shows_nowhere() {
    let (site, pem) = secure_site().await;
    let proxy = HttpProxy::start(ProxyBehaviour::Strict(LOGIN), place(&site)).await;
    site.set("log_level", "trace");
    let job = site.job_with(|job| {
        job.set("AWS_CA_BUNDLE", pem);
        job.set("AWS_ENDPOINT_URL_ECS", named(&site));
        job.set("HTTPS_PROXY", format!("http://user:{PASSWORD}@{}", proxy.address()));
    });
    plays(&job).await;
    let asked = proxy.asked();
    let connect = format!("CONNECT {NAME}:{} HTTP/1.1", place(&site).port());
    assert!(!asked.is_empty() && asked.iter().all(|line| *line == connect), "{asked:?}");
    let said: String = job.said().iter().map(fargate_tests::TestProcessResult::all).collect();
    assert!(!site.log().contains(PASSWORD) && !said.contains(PASSWORD));
    assert!(!site.log().contains(LOGIN) && !said.contains(LOGIN));
    site.close().await;
}

#[tokio::test]
async fn plain_http_goes_through_a_proxy_too_in_either_spelling() {
    for variable in ["HTTP_PROXY", "http_proxy"] {
        let site = CheckedHost::open().await;
        let proxy = HttpProxy::start(ProxyBehaviour::Helpful, place(&site)).await;
        let job = site.job_with(|job| {
            job.set("AWS_ENDPOINT_URL_ECS", named(&site));
            // A place alone means http.
            job.set(variable, proxy.address().to_string());
        });
        plays(&job).await;
        let asked = proxy.asked();
        let post = format!("POST {}/ HTTP/1.1", named(&site));
        assert!(!asked.is_empty() && asked.iter().all(|line| *line == post), "{asked:?}");
        site.close().await;
    }
}

#[tokio::test]
async fn every_service_is_reached_through_the_proxy() {
    let (site, pem) = secure_site().await;
    let proxy = HttpProxy::start(ProxyBehaviour::Helpful, place(&site)).await;
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    site.set("defaults.assume_role_arn", role);
    site.set("defaults.public_ip", "dialled");
    let job = site.job_with(|job| {
        job.environment.remove("AWS_ENDPOINT_URL_ECS".as_ref() as &OsStr);
        job.set("AWS_ENDPOINT_URL", named(&site));
        job.set("AWS_CA_BUNDLE", pem);
        job.set("HTTPS_PROXY", proxy.url());
    });
    plays(&job).await;
    assert!(!proxy.asked().is_empty());
    assert!(site.calls("AssumeRole") > 0 && site.calls("DescribeNetworkInterfaces") > 0);
    site.close().await;
}

#[tokio::test]
async fn this_machine_and_the_hosts_of_no_proxy_are_reached_without_it() {
    let site = CheckedHost::open().await;
    let proxy = HttpProxy::start(ProxyBehaviour::Helpful, place(&site)).await;
    let job = site.job_with(|job| job.set("HTTP_PROXY", proxy.url()));
    plays(&job).await;
    hurry(&site);
    for (variable, value) in [("NO_PROXY", ".example"), ("no_proxy", "other, cloud.example")] {
        let job = site.job_with(|job| {
            job.set("AWS_ENDPOINT_URL_ECS", named(&site));
            job.set("HTTP_PROXY", proxy.url());
            job.set(variable, value);
        });
        // Only the proxy knows that name.
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        let expected = format!("error: this host cannot reach {}", named(&site));
        assert_eq!(ended.error_line(), expected);
        cleaned_up_directly(&site, &job).await;
    }
    assert_eq!(proxy.asked(), Vec::<String>::new());
    site.close().await;
}

/// Cleans up after a job whose way to AWS is broken.
async fn cleaned_up_directly(site: &CheckedHost, job: &TestJob) {
    let mended = site.same_job(job, |job| job.set("AWS_ENDPOINT_URL_ECS", site.cloud().endpoint()));
    mended.cleanup().await.passed();
}

#[tokio::test]
async fn a_proxy_that_asks_for_a_login_is_named_without_one() {
    let (site, pem) = secure_site().await;
    let proxy = HttpProxy::start(ProxyBehaviour::Strict(LOGIN), place(&site)).await;
    let job = site.job_with(|job| {
        job.set("AWS_CA_BUNDLE", &pem);
        job.set("AWS_ENDPOINT_URL_ECS", named(&site));
        job.set("HTTPS_PROXY", format!("http://user:wrong-{PASSWORD}@{}", proxy.address()));
    });
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let expected = format!("error: the proxy {} asks for a login", proxy.url());
    assert_eq!(ended.error_line(), expected);
    assert!(!ended.all().contains(PASSWORD) && !site.log().contains(PASSWORD));
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
    // The same of plain HTTP.
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| {
        job.set("AWS_ENDPOINT_URL_ECS", named(&site));
        job.set("HTTP_PROXY", proxy.url());
    });
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), expected);
    site.close().await;
}

#[tokio::test]
async fn a_proxy_that_gives_no_way_is_named_and_tried_until_the_deadline() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let nobody = closed.local_addr().expect("a bound socket");
    drop(closed);
    let lost = HttpProxy::start(ProxyBehaviour::Lost, nobody).await;
    let silent = HttpProxy::start(ProxyBehaviour::Silent, nobody).await;
    for address in [nobody, lost.address(), silent.address()] {
        let (site, pem) = secure_site().await;
        hurry(&site);
        let job = site.job_with(|job| {
            job.set("AWS_CA_BUNDLE", &pem);
            job.set("AWS_ENDPOINT_URL_ECS", named(&site));
            job.set("HTTPS_PROXY", format!("http://{address}"));
        });
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        let endpoint = named(&site);
        let expected = format!("error: the proxy http://{address} does not connect to {endpoint}");
        assert_eq!(ended.error_line(), expected);
        assert!(ended.took < PATIENCE, "{:?}", ended.took);
        // Nothing was sent, so nothing is left to be cleaned up.
        assert!(!job.state_file().exists());
        site.close().await;
    }
    assert!(lost.asked().len() > 1 && silent.asked().len() > 1, "it was tried again");
}

#[tokio::test]
async fn a_variable_that_names_no_proxy_is_refused_and_not_passed_over() {
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| job.set("https_proxy", format!("socks5://u:{PASSWORD}@p:1")));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r"
    error: https_proxy is not the URL of an HTTP proxy
      Fix: write it as http://HOST:PORT, or unset it for this host's runner
        printenv https_proxy
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: proxy-unusable
    ");
    assert!(!ended.all().contains(PASSWORD) && !site.log().contains(PASSWORD));
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn the_hosts_own_credentials_never_go_through_a_proxy() {
    let site = CheckedHost::open().await;
    let proxy = HttpProxy::start(ProxyBehaviour::Helpful, place(&site)).await;
    let keys = site.cloud().issue_credentials(Duration::from_secs(3600));
    let own = credential_server(&keys).await;
    let job = site.job_with(|job| {
        job.environment.remove("AWS_ACCESS_KEY_ID".as_ref() as &OsStr);
        job.environment.remove("AWS_SECRET_ACCESS_KEY".as_ref() as &OsStr);
        job.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/keys", own.url()));
        job.set("AWS_ENDPOINT_URL_ECS", named(&site));
        job.set("HTTP_PROXY", proxy.url());
    });
    plays(&job).await;
    assert!(own.asked().len() >= 2);
    let place = own.url().replace("http://", "");
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| !line.contains(&place)), "{asked:?}");
    let requests = site.cloud().requests();
    assert!(requests.iter().all(|request| request.access_key_id == keys.access_key_id));
    site.close().await;
}

/// The credential endpoint of a container, as ECS and EKS have it.
async fn credential_server(keys: &IssuedCredentials) -> AnswerServer {
    let body = serde_json::json!({
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
        "Token": keys.session_token,
        "Expiration": "2096-01-01T00:00:00Z",
    });
    AnswerServer::start(move |_| CannedAnswer::Body(body.to_string())).await
}
