//! The example blog.

use auth_tests::{Answer, ServerOptions, TestClient, TestServer};
use serde_json::json;

use crate::BLOG;

/// A running blog with a client.
pub(crate) struct Blog {
    pub(crate) client: TestClient,
    pub(crate) server: TestServer,
}

impl Blog {
    pub(crate) fn start(options: ServerOptions) -> Self {
        let server = options.start(BLOG);
        Self { client: server.client(), server }
    }

    /// Runs a command beside the server. Panics if it fails.
    pub(crate) fn command(&self, args: &[&str]) {
        let output = self.server.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) async fn get(&self, path: &str, bearer: &str) -> Answer {
        self.client.get_as(bearer, path).await
    }

    pub(crate) async fn protected(&self, bearer: &str) -> Answer {
        self.get("/api/protected/", bearer).await
    }

    /// Creates a post; returns its path.
    pub(crate) async fn post(&self, bearer: &str) -> String {
        let body = json!({"title": "A title", "content": "Some text"});
        let answer = self.client.post("/api/posts/create/", Some(bearer), body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        format!("/api/posts/{}/", answer.json()["id"])
    }
}
