//! A running `fargate-runner serve`.

use std::net::SocketAddr;

use fargate_tests::{CheckedHost, TestProcess, until_found};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::http_client::{HttpAnswer, request};

/// The server of one host.
pub struct StatusServer {
    pub address: SocketAddr,
    process: TestProcess,
}

impl StatusServer {
    /// Starts the server of `site` and waits until it has its history.
    pub async fn of(site: &CheckedHost) -> Self {
        let server = Self::started(site.start(&["serve", "--listen", "127.0.0.1:0"])).await;
        server.ready().await;
        server
    }

    /// The server of this process, which has told its address.
    pub async fn started(mut process: TestProcess) -> Self {
        process.wrote("http://").await;
        process.wrote("/\n").await;
        let told = String::from_utf8_lossy(&process.stdout()).into_owned();
        let address = told.trim().trim_start_matches("http://").trim_end_matches('/');
        Self { address: address.parse().expect(address), process }
    }

    pub async fn ready(&self) {
        until_found("the history is open", || async {
            let answer = self.get("/health/ready").await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }

    pub async fn get(&self, path: &str) -> HttpAnswer {
        request(self.address, ("GET", path), &[], "").await
    }

    pub async fn get_as(&self, path: &str, headers: &[(&str, &str)]) -> HttpAnswer {
        request(self.address, ("GET", path), headers, "").await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
        request(self.address, ("POST", path), headers, body).await
    }

    /// The JSON at a path.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        answer.json()
    }

    /// The JSON at a path, once it is as `wanted` says.
    pub async fn json_once(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (path, wanted) = (path, &wanted);
        until_found(path, || async move {
            let json = self.json(path).await;
            if wanted(&json) { Ok(json) } else { Err(json.to_string()) }
        })
        .await
    }

    /// All paths of the API that take a GET and no name.
    pub async fn paths(&self) -> Vec<String> {
        let document = self.get("/openapi.json").await.json();
        let paths = document["paths"].as_object().expect("paths").clone();
        let is_plain = |(path, methods): &(String, Value)| -> bool {
            methods.get("get").is_some() && !path.contains('{') && !path.ends_with("/events")
        };
        paths.into_iter().filter(is_plain).map(|(path, _)| path).collect()
    }

    /// Ends it without a word, as `kill -9` does.
    pub async fn kill(self) {
        self.process.signal(Signal::SIGKILL);
        self.process.ended().await;
    }

    /// Ends it as systemd would.
    pub async fn close(self) {
        self.process.signal(Signal::SIGTERM);
        self.process.ended().await.with_code(0);
    }
}
