//! Sends requests.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::{Method, redirect};
use serde_json::Value;

use crate::contract::answer::{Answer, ensure};

/// Opens a connection per request, so that the server never closes one while a request is sent.
pub(crate) static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder().redirect(redirect::Policy::none()).pool_max_idle_per_host(0);
    client.timeout(Duration::from_secs(60)).build().expect("an HTTP client")
});

/// Sends a request that prepares a row and must succeed.
pub(crate) fn send(method: Method, url: &str, bearer: Option<&str>, body: &Value) -> Result<Value, String> {
    let mut request = CLIENT.request(method, url).json(body);
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    let response = request.send().map_err(|error| format!("preparing at {url}: {error:?}"))?;
    let answer = Answer::read(response)?;
    ensure((200..300).contains(&answer.status), || format!("preparing at {url}: {answer}"))?;
    Ok(answer.body)
}
