//! A running blog server and its client.

use auth_tests::{Answer, Database, TestClient, TestServer, TokenPair};
use reqwest::Method;
use serde_json::Value;

use crate::BLOG;

pub(crate) struct Blog {
    server: TestServer,
    client: TestClient,
}

impl Blog {
    /// `blog --profile simplejwt serve`.
    pub(crate) fn start(database: &Database) -> Self {
        let server = database.server("simplejwt").start(BLOG);
        Self { client: server.client(), server }
    }

    pub(crate) async fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.client.send(Method::GET, path, bearer, None).await
    }

    pub(crate) async fn post(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.client.post(path, bearer, body).await
    }

    pub(crate) async fn put(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.client.send(Method::PUT, path, bearer, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.client.send(Method::PATCH, path, bearer, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.client.send(Method::DELETE, path, bearer, None).await
    }

    pub(crate) async fn register(&self, name: &str) -> Answer {
        self.client.register(name).await
    }

    pub(crate) async fn login(&self, name: &str) -> TokenPair {
        self.client.login(name).await
    }

    /// Registers a user and logs in.
    pub(crate) async fn register_and_login(&self, name: &str) -> TokenPair {
        self.client.register_and_login(name).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.client.refresh(token).await
    }

    /// Polls a path until the answer has this status. Commands run in another process; their changes take effect within a
    /// second.
    pub(crate) async fn wait_for_status(&self, bearer: &str, path: &str, status: u16) -> Answer {
        self.client.wait_for_status(bearer, path, status).await
    }

    /// Runs `blog --profile simplejwt users ACTION NAME` on the blog's machine.
    pub(crate) fn users(&self, action: &str, name: &str) {
        self.server.users(action, name);
    }
}
