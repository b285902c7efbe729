//! Two blogs on one database: changes through one of them, by a command or by plain SQL take effect at both within a second.
//!
//! The second is measured from the end of the change. Because a busy machine may delay a process, a case that was late is
//! repeated with a new account, twice at most. A change that never takes effect fails immediately.

use std::time::{Duration, Instant};

use auth_tests::cases::OnBothDatabases;
use auth_tests::{Answer, Database, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::block_in_place;

use crate::guarded_routes::fixture::Blog;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases =>
            logouts_take_effect_at_both_replicas,
            commands_take_effect_at_both_replicas,
            plain_sql_takes_effect_at_both_replicas,
            changes_affect_only_their_user]
}

/// How long a change may take to take effect.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// After this time a change counts as missed, not as late. Shorter than the lifetime of a cache entry.
const MISSED_AFTER: Duration = Duration::from_secs(10);

/// Two blogs on one database.
struct Blogs {
    blogs: [Blog; 2],
    database: Database,
}

impl Blogs {
    fn start(database: Database) -> Self {
        let start = || Blog::start(database.server("development"));
        Self { blogs: [start(), start()], database }
    }

    fn sql(&self, sql: &str) {
        block_in_place(|| self.database.execute(sql));
    }

    /// Polls both blogs until `has_effect` holds; returns how long that took.
    async fn time_to_effect(&self, what: &str, has_effect: impl AsyncFn(&Blog) -> bool) -> Duration {
        let start = Instant::now();
        for blog in &self.blogs {
            while !has_effect(blog).await {
                assert!(start.elapsed() < MISSED_AFTER, "no effect: {what}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        start.elapsed()
    }

    /// Makes a change for a new user whom both blogs have cached, and checks that it takes effect in time. `before` prepares the
    /// user.
    async fn takes_effect_in_time(
        &self,
        what: &str,
        before: impl AsyncFn(&str, &TokenPair),
        change: impl AsyncFn(&str, &TokenPair),
        has_effect: impl AsyncFn(&Blog, &TokenPair) -> bool,
    ) {
        let mut late = Vec::new();
        for attempt in 0..3 {
            let name = format!("{}{attempt}", what.replace([' ', '-', '_'], ""));
            let pair = self.blogs[0].client.register_and_login(&name).await;
            before(&name, &pair).await;
            for blog in self.blogs.iter().chain(&self.blogs) {
                assert_eq!(blog.protected(&pair.access).await.status, 200, "{what}");
                assert!(!has_effect(blog, &pair).await, "{what}: in effect before the change");
            }
            change(&name, &pair).await;
            let took = self.time_to_effect(what, async |blog| has_effect(blog, &pair).await).await;
            // The effect must last.
            for blog in &self.blogs {
                assert!(has_effect(blog, &pair).await, "{what}: the effect did not last");
            }
            if took <= MAX_DELAY {
                return;
            }
            late.push(took);
        }
        panic!("late three times: {what}: {late:?}");
    }

    /// Promotes a user and waits until both blogs know.
    async fn promoted(&self, name: &str, pair: &TokenPair, post: &str) {
        block_in_place(|| self.blogs[0].command(&["users", "promote", name]));
        self.time_to_effect("promote", async |blog| sees(blog, pair, post).await).await;
    }
}

async fn nothing(_: &str, _: &TokenPair) {}

/// Returns whether the caller may read another user's post.
async fn sees(blog: &Blog, pair: &TokenPair, post: &str) -> bool {
    match blog.get(post, &pair.access).await.status.as_u16() {
        200 => true,
        403 => false,
        other => panic!("{other}"),
    }
}

fn is_refused(answer: &Answer) -> bool {
    assert!([200, 401].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
    answer.status == 401
}

async fn is_refused_at(blog: &Blog, pair: &TokenPair) -> bool {
    is_refused(&blog.protected(&pair.access).await)
}

async fn logouts_take_effect_at_both_replicas(database: Database) {
    let both = Blogs::start(database);
    let [one, _] = &both.blogs;
    let logout = async |pair: &TokenPair, body| {
        let answer = one.client.logout(&pair.access, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        // At the same blog it takes effect with the next request.
        assert!(is_refused_at(one, pair).await);
    };
    both.takes_effect_in_time(
        "logout",
        nothing,
        async |_, pair| logout(pair, json!({"refresh": pair.refresh})).await,
        is_refused_at,
    )
    .await;
    both.takes_effect_in_time(
        "logout of all",
        nothing,
        async |_, pair| logout(pair, json!({"all": true})).await,
        is_refused_at,
    )
    .await;
    let blacklist = async |_: &str, pair: &TokenPair| {
        let answer = one.client.post("/api/token/blacklist/", None, json!({"refresh": pair.refresh})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(is_refused_at(one, pair).await);
    };
    both.takes_effect_in_time("blacklist", nothing, blacklist, is_refused_at).await;
    let from_another = async |name: &str, _: &TokenPair| {
        let other = one.client.login(name).await;
        let answer = one.client.logout(&other.access, json!({"others": true})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(one.protected(&other.access).await.status, 200);
    };
    both.takes_effect_in_time("logout of others", nothing, from_another, is_refused_at).await;
}

async fn commands_take_effect_at_both_replicas(database: Database) {
    let both = Blogs::start(database);
    let [one, _] = &both.blogs;
    let author = one.client.register_and_login("author").await;
    let post = one.post(&author.access).await;
    let sees = async |blog: &Blog, pair: &TokenPair| sees(blog, pair, &post).await;
    let sees_not = async |blog: &Blog, pair: &TokenPair| !sees(blog, pair).await;
    let promoted = async |name: &str, pair: &TokenPair| both.promoted(name, pair, &post).await;
    let command = async |action: &str, name: &str| block_in_place(|| one.command(&["users", action, name]));
    both.takes_effect_in_time("promote", nothing, async |name, _| command("promote", name).await, sees).await;
    both.takes_effect_in_time("demote", promoted, async |name, _| command("demote", name).await, sees_not).await;
    both.takes_effect_in_time("deactivate", nothing, async |name, _| command("deactivate", name).await, is_refused_at)
        .await;
    both.takes_effect_in_time("delete", nothing, async |name, _| command("delete", name).await, is_refused_at).await;
    let set_password = async |name: &str, _: &TokenPair| {
        let args = ["users", "set-password", "--password-stdin", name];
        let output = block_in_place(|| one.server.run_with_input(args, "Another-horse-43\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    both.takes_effect_in_time("set-password", nothing, set_password, is_refused_at).await;
}

async fn plain_sql_takes_effect_at_both_replicas(database: Database) {
    let both = Blogs::start(database);
    let [one, _] = &both.blogs;
    let author = one.client.register_and_login("author").await;
    let post = one.post(&author.access).await;
    let sees = async |blog: &Blog, pair: &TokenPair| sees(blog, pair, &post).await;
    let sees_not = async |blog: &Blog, pair: &TokenPair| !sees(blog, pair).await;
    let promoted = async |name: &str, pair: &TokenPair| both.promoted(name, pair, &post).await;
    let set = async |what: &str, name: &str| both.sql(&format!("UPDATE users SET {what} WHERE username = '{name}'"));
    both.takes_effect_in_time("sql promote", nothing, async |name, _| set("is_staff = TRUE", name).await, sees).await;
    both.takes_effect_in_time("sql demote", promoted, async |name, _| set("is_staff = FALSE", name).await, sees_not)
        .await;
    both.takes_effect_in_time(
        "sql deactivate",
        nothing,
        async |name, _| set("is_active = FALSE", name).await,
        is_refused_at,
    )
    .await;
    let revoke = async |name: &str, _: &TokenPair| both.revoke_session(name);
    both.takes_effect_in_time("sql logout", nothing, revoke, is_refused_at).await;
    let renamed = async |name: &str, _: &TokenPair| {
        set(&format!("username = 'x{name}', username_canonical = 'x{name}'"), name).await;
    };
    let is_renamed = async |blog: &Blog, pair: &TokenPair| {
        blog.protected(&pair.access).await.field("message").starts_with("Hello, x")
    };
    both.takes_effect_in_time("sql rename", nothing, renamed, is_renamed).await;
    let delete = async |name: &str, _: &TokenPair| both.sql(&format!("DELETE FROM users WHERE username = '{name}'"));
    both.takes_effect_in_time("sql delete", nothing, delete, is_refused_at).await;
}

impl Blogs {
    /// Revokes the only session of a user in the database, without the service.
    fn revoke_session(&self, name: &str) {
        let now = match self.database {
            Database::Sqlite(_) => "unixepoch()",
            Database::Postgres(_) => "now()",
        };
        self.sql(&format!(
            "UPDATE sessions SET revoked_at = {now}, revoke_reason = 'logout'
             WHERE user_id = (SELECT id FROM users WHERE username = '{name}')"
        ));
    }
}

async fn changes_affect_only_their_user(database: Database) {
    let both = Blogs::start(database);
    let [one, other] = &both.blogs;
    let stays = one.client.register_and_login("stays").await;
    let second = one.client.login("stays").await;
    let goes = one.client.register_and_login("goes").await;
    for blog in &both.blogs {
        for pair in [&stays, &second, &goes] {
            assert_eq!(blog.protected(&pair.access).await.status, 200);
        }
    }
    assert_eq!(one.client.logout(&second.access, json!({"refresh": second.refresh})).await.status, 200);
    block_in_place(|| one.command(&["users", "delete", "goes"]));
    for blog in [one, other] {
        both.time_to_effect("both changes", async |_| {
            is_refused_at(blog, &second).await && is_refused_at(blog, &goes).await
        })
        .await;
        let answer = blog.protected(&stays.access).await;
        assert_eq!((answer.status.as_u16(), answer.field("message")), (200, "Hello, stays!".to_owned()));
    }
}
