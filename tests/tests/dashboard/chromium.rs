//! One headless Chromium, spoken to by its debugging protocol over a pipe: no port, no socket.
//!
//! Each message is JSON and ends with a zero byte (`--remote-debugging-pipe` reads from descriptor 3 and
//! writes to 4). Every call has a deadline. The browser ends with the value.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fargate_tests::until_found;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest wait for one answer of the browser.
const CALL_TIME: Duration = Duration::from_secs(30);

type OpenCalls = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// A browser.
pub struct ChromiumBrowser {
    stdin: AsyncMutex<ChildStdin>,
    calls: OpenCalls,
    next: AtomicU64,
    reader: JoinHandle<()>,
    _process: Child,
    _profile: TempDir,
}

/// One tab with storage of its own.
pub struct BrowserTab<'b> {
    browser: &'b ChromiumBrowser,
    session: String,
}

impl ChromiumBrowser {
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut process = Command::new("sh")
            .arg("-c")
            // The shell makes 3 and 4 of the two pipes that it was given, and becomes the browser.
            .arg("exec chromium --headless=new --no-sandbox --disable-gpu --no-first-run \
                  --disable-dev-shm-usage --disable-background-networking --disable-extensions --disable-sync \
                  --disable-component-update --force-color-profile=srgb --hide-scrollbars --mute-audio \
                  --remote-debugging-pipe --user-data-dir=\"$0\" 3<&0 4>&1 </dev/null >/dev/null 2>&1")
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sh");
        let stdin = process.stdin.take().expect("a pipe");
        let stdout = process.stdout.take().expect("a pipe");
        let calls = OpenCalls::default();
        let reader = tokio::spawn(read_answers(stdout, calls.clone()));
        Self {
            stdin: AsyncMutex::new(stdin),
            calls,
            next: AtomicU64::new(1),
            reader,
            _process: process,
            _profile: profile,
        }
    }

    async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let answer = self.tried_call(session, method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn tried_call(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let (answer, waiting) = oneshot::channel();
        self.calls.lock().expect("no panic").insert(id, answer);
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.stdin.lock().await.write_all(&bytes).await.expect("the browser reads");
        let answer =
            timeout(CALL_TIME, waiting).await.unwrap_or_else(|_| panic!("{method}: no answer"));
        let answer = answer.unwrap_or_else(|_| panic!("{method}: the browser ended"));
        match answer.get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// A new tab in a new profile, 1280 by 720.
    pub async fn tab(&self) -> BrowserTab<'_> {
        let context = self.call(None, "Target.createBrowserContext", json!({})).await;
        let context = context["browserContextId"].clone();
        let granted = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "browserContextId": context });
        self.call(None, "Browser.grantPermissions", granted).await;
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = self.call(None, "Target.createTarget", target).await["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach).await;
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        let tab = BrowserTab { browser: self, session };
        tab.call("Page.enable", json!({})).await;
        tab.size(1280, 720).await;
        tab.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        tab
    }
}

impl Drop for ChromiumBrowser {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_answers(stdout: ChildStdout, calls: OpenCalls) {
    let mut reader = BufReader::new(stdout);
    let mut bytes = Vec::new();
    while reader.read_until(0, &mut bytes).await.is_ok_and(|n| n > 0) {
        bytes.pop_if(|last| *last == 0);
        let message: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        bytes.clear();
        let call =
            message["id"].as_u64().and_then(|id| calls.lock().expect("no panic").remove(&id));
        if let Some(call) = call {
            // Nobody waits any more if the deadline passed.
            let _ = call.send(message);
        }
    }
    calls.lock().expect("no panic").clear();
}

impl BrowserTab<'_> {
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(Some(&self.session), method, params).await
    }

    /// Opens an address and waits until all of it is loaded.
    pub async fn open(&self, url: &str) {
        until_found("the address is opened", || async {
            let answer = self.call("Page.navigate", json!({ "url": url })).await;
            // Another test's containers may change the networks of this machine meanwhile.
            answer.get("errorText").map_or(Ok(()), |error| Err(error.to_string()))
        })
        .await;
        self.until(
            &format!("{url} is loaded"),
            &format!(
                "document.readyState === 'complete' && location.href.startsWith({})",
                json!(url.split('#').next())
            ),
        )
        .await;
    }

    pub async fn reload(&self) {
        self.eval("window.isOldPage = true").await;
        self.call("Page.reload", json!({})).await;
        self.until(
            "the page is loaded again",
            "!window.isOldPage && document.readyState === 'complete'",
        )
        .await;
    }

    /// What an expression is worth.
    pub async fn eval(&self, script: &str) -> Value {
        self.tried_eval(script).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    async fn tried_eval(&self, script: &str) -> Result<Value, String> {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        // A page that is just being left answers with an error.
        let session = Some(self.session.as_str());
        let answer = self.browser.tried_call(session, "Runtime.evaluate", params).await?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(details.to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true. A page that is just being left has no answer yet.
    pub async fn until(&self, what: &str, script: &str) {
        until_found(what, || async {
            match self.tried_eval(script).await {
                Ok(Value::Bool(true)) => Ok(()),
                Ok(seen) => Err(seen.to_string()),
                Err(error) => Err(error),
            }
        })
        .await;
    }

    pub async fn text(&self, selector: &str) -> String {
        let script =
            format!("document.querySelector({})?.innerText ?? 'nothing is there'", json!(selector));
        self.eval(&script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Presses a key: a character, or `Enter`, `Tab`, `Escape`.
    pub async fn key(&self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            key => (0, key),
        };
        let mut down = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code });
        if !text.is_empty() {
            down["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", down).await;
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", up).await;
    }

    pub async fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.key(key).await;
        }
    }

    pub async fn size(&self, width: u32, height: u32) {
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 640 });
        self.call("Emulation.setDeviceMetricsOverride", params).await;
    }

    /// Sets media features such as `prefers-color-scheme`.
    pub async fn media(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Keeps a picture of the whole page under `target/screenshots`, for people.
    pub async fn picture(&self, name: &str) {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.call("Page.captureScreenshot", params).await;
        let encoded = answer["data"].as_str().expect("a picture");
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder");
        let bytes = decode_base64(encoded);
        assert!(bytes.starts_with(b"\x89PNG"), "{name} is no picture");
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("a file");
    }
}

/// Base64 with padding, as the browser writes it.
fn decode_base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(value).collect();
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for part in digits.chunks(4) {
        let word = part.iter().fold(0_u32, |word, digit| word << 6 | u32::from(*digit))
            << (6 * (4 - part.len()));
        out.extend(&word.to_be_bytes()[1..part.len()]);
    }
    out
}
