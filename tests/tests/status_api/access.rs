//! Who may see and do what.

use std::net::{IpAddr, Ipv4Addr};

use fargate_tests::CheckedHost;

use crate::http_client::{HttpAnswer, request_from};
use crate::server::StatusServer;

/// Makes a token as an operator would, and puts its hash into the configuration.
pub async fn token(
    site: &CheckedHost,
    tokens: &mut Vec<toml::Value>,
    name: &str,
    role: &str,
) -> String {
    let words = ["serve", "token", "--name", name, "--role", role];
    let made = site.start(&words).ended().await.with_code(0);
    let token = made.out().trim().to_owned();
    let words = made.err();
    let (_, toml) = words.split_once("tokens = [").expect("what to add");
    let toml: toml::Table = format!("t = [{toml}").parse().expect("TOML");
    tokens.extend(toml["t"].as_array().expect("a list").iter().cloned());
    assert!(!words.contains(&token), "the token itself is shown once, as data");
    site.set("serve.tokens", tokens.clone());
    token
}

#[tokio::test]
async fn without_a_token_only_health_answers_and_only_operators_change_anything() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    let mut tokens = Vec::new();
    let viewer = token(&site, &mut tokens, "ben", "viewer").await;
    let operator = token(&site, &mut tokens, "anna", "operator").await;
    site.set("serve.local_access", "nobody");
    let server = StatusServer::of(&site).await;
    let open = ["/health/live", "/health/ready", "/api/v1/session"];
    for path in server.paths().await {
        let answer = server.get(&path).await;
        let expected = if open.contains(&path.as_str()) { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
    }
    let page = server.get_as("/history", &[("accept", "text/html")]).await;
    assert_eq!((page.status, page.header("location")), (303, "/sign-in"));
    let bearer = |token: &str| format!("Bearer {token}");
    let wrong = server.get_as("/api/v1/now", &[("authorization", "Bearer guess")]).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (401, "wrong-token"));

    let (viewer, operator) = (bearer(&viewer), bearer(&operator));
    let as_viewer = [("authorization", viewer.as_str()), ("content-type", "application/json")];
    let as_operator = [("authorization", operator.as_str()), ("content-type", "application/json")];
    assert_eq!(server.get_as("/api/v1/now", &as_viewer).await.status, 200);
    let refused = server.post("/api/v1/intake/pause", &as_viewer, r#"{"note":"x"}"#).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "not-allowed"));

    let paused = server.post("/api/v1/intake/pause", &as_operator, r#"{"note":"new disk"}"#).await;
    assert_eq!(paused.json()["state"], "paused", "{}", paused.text());
    let now = server.get_as("/api/v1/now", &as_viewer).await.json();
    assert_eq!(now["paused_note"], "new disk");
    assert!(now["answer"].as_str().unwrap().starts_with("Intake is paused by anna"), "{now}");
    let resumed = server.post("/api/v1/intake/resume", &as_operator, "").await;
    assert_eq!(resumed.json()["state"], "open");
    let audit = server.get_as("/api/v1/audit", &as_operator).await.json();
    let entries = audit["entries"].as_array().expect("entries");
    let of_anna: Vec<_> = entries.iter().filter(|entry| entry["who"] == "anna").collect();
    let actions: Vec<_> = of_anna.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["host.pause", "host.resume"]);
    assert_eq!(server.get_as("/api/v1/audit", &as_viewer).await.status, 403);
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn a_browser_signs_in_with_a_token_and_its_pages_prove_themselves() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    let operator = token(&site, &mut Vec::new(), "anna", "operator").await;
    site.set("serve.local_access", "nobody");
    let server = StatusServer::of(&site).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let own = format!("http://{}", server.address);
    let refused = server.post("/sign-in", &[form], "token=guess&back=/cost").await;
    assert_eq!(refused.status, 401);
    let fields = format!("token={operator}&back=//evil.example");
    let signed_in = server.post("/sign-in", &[form, ("origin", &own)], &fields).await;
    assert_eq!((signed_in.status, signed_in.header("location")), (303, "/"));
    let cookie = signed_in.header("set-cookie").to_owned();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains(&operator), "the cookie is not the token");
    let cookie = cookie.split(';').next().unwrap();
    let session = server.get_as("/api/v1/session", &[("cookie", cookie)]).await.json();
    assert_eq!((&session["name"], &session["role"]), (&"anna".into(), &"operator".into()));
    let page = server.get_as("/", &[("cookie", cookie), ("accept", "text/html")]).await;
    assert_eq!(page.status, 200);

    let csrf = session["csrf"].as_str().expect("a proof");
    let unproven = server.post("/intake/pause", &[form, ("cookie", cookie)], "note=disk").await;
    assert_eq!(unproven.status, 403);
    let fields = format!("note=disk&csrf={csrf}");
    let paused = server.post("/intake/pause", &[form, ("cookie", cookie)], &fields).await;
    assert_eq!((paused.status, paused.header("location")), (303, "/"), "{}", paused.text());
    let resumed =
        server.post("/intake/resume", &[form, ("cookie", cookie)], &format!("csrf={csrf}")).await;
    assert_eq!(resumed.status, 303, "{}", resumed.text());
    let out = server.post("/sign-out", &[form, ("cookie", cookie)], &format!("csrf={csrf}")).await;
    assert_eq!(out.status, 303);
    assert_eq!(server.get_as("/api/v1/now", &[("cookie", cookie)]).await.status, 401);
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_way_to_sign_in() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    let refused = site.start(&["serve", "--listen", "0.0.0.0:0"]).ended().await.with_code(1);
    assert!(refused.err().contains("nobody could sign in"), "{}", refused.all());
    site.close().await;
}

/// The address of the proxy, and one that is not listed. Both reach the server.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// The header in which the proxy tells who somebody is.
const PERSON: &str = "x-auth-request-email";

/// The answer to somebody at `source` who says to be these people.
async fn get_from(
    server: &StatusServer,
    source: IpAddr,
    path: &str,
    people: &[&str],
) -> HttpAnswer {
    let headers: Vec<_> = people.iter().map(|person| (PERSON, *person)).collect();
    request_from(source, server.address, ("GET", path), &headers, "").await
}

#[tokio::test]
async fn the_header_of_a_proxy_signs_in_from_its_own_address_and_from_no_other() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    let (anna, ben) = ("anna@example.org", "ben@example.org");
    site.set("serve.local_access", "nobody");
    site.set("serve.proxy_addresses", vec![PROXY.to_string()]);
    site.set("serve.proxy_user_header", "X-Auth-Request-Email");
    site.set("serve.proxy_operators", vec![anna.to_owned()]);
    let server = StatusServer::of(&site).await;

    for (person, role) in [(anna, "operator"), (ben, "viewer")] {
        let session = get_from(&server, PROXY, "/api/v1/session", &[person]).await.json();
        assert_eq!((&session["name"], &session["role"]), (&person.into(), &role.into()));
        assert_eq!(get_from(&server, PROXY, "/api/v1/jobs", &[person]).await.status, 200);
        let stranger = get_from(&server, STRANGER, "/api/v1/session", &[person]).await;
        assert!(stranger.json()["role"].is_null(), "{}", stranger.text());
        let refused = get_from(&server, STRANGER, "/api/v1/jobs", &[person]).await;
        assert_eq!(refused.status, 401, "{person}: {}", refused.text());
    }
    let nobody: [&[&str]; 3] = [&[], &[anna, ben], &[""]];
    for people in nobody {
        let refused = get_from(&server, PROXY, "/api/v1/jobs", people).await;
        assert_eq!(refused.status, 401, "{people:?}: {}", refused.text());
    }

    // What an operator does carries the name that the proxy tells, and needs the proof of our page.
    let order = async |source: IpAddr, person: &str, proof: &str, path: &str| {
        let json = ("content-type", "application/json");
        let headers = [(PERSON, person), json, ("x-csrf-token", proof)];
        let note = r#"{"note":"new disk"}"#;
        request_from(source, server.address, ("POST", path), &headers, note).await
    };
    let pause = async |source: IpAddr, person: &str, proof: &str| {
        order(source, person, proof, "/api/v1/intake/pause").await
    };
    let session = get_from(&server, PROXY, "/api/v1/session", &[anna]).await.json();
    let proof = session["csrf"].as_str().expect("a proof");
    assert_eq!(pause(STRANGER, anna, proof).await.status, 401);
    assert_eq!(pause(PROXY, ben, proof).await.code(), "not-allowed");
    assert_eq!(pause(PROXY, anna, "guess").await.code(), "no-csrf-token");
    let paused = pause(PROXY, anna, proof).await;
    assert_eq!(paused.json()["state"], "paused", "{}", paused.text());
    let audit = get_from(&server, PROXY, "/api/v1/audit", &[anna]).await.json();
    let entries = audit["entries"].as_array().expect("entries");
    let actions = entries.iter().filter(|entry| entry["who"] == anna);
    let actions: Vec<_> = actions.map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["host.pause"], "{audit}");
    let resumed = order(PROXY, anna, proof, "/api/v1/intake/resume").await;
    assert_eq!(resumed.status, 200, "{}", resumed.text());
    server.close().await;
    site.close().await;
}
