//! The store keeps the token half of the contract, and the program ends well on it.
#![allow(clippy::unwrap_used, reason = "a test that cannot arrange its fixture has failed")]

use std::process::{Command, ExitCode};
use std::sync::Arc;

use async_trait::async_trait;
use auth_conformance::libtest_mimic::Trial;
use auth_conformance::{TokenHost, run_trials, token_contract};
use auth_core::ports::TokenStore;
use auth_core::user::{User, UserId};
use own_store::OwnStore;

#[derive(Default)]
struct Host(Arc<OwnStore>);

#[async_trait]
impl TokenHost for Host {
    fn store(&self) -> Arc<dyn TokenStore> {
        self.0.clone()
    }

    async fn add_user(&self, user: &User) -> UserId {
        let former = self.0.with_users(|users| users.insert(user.id.clone(), user.clone())).unwrap();
        assert_eq!(former, None);
        user.id.clone()
    }

    async fn update_user(&self, user: &User) {
        let former = self.0.with_users(|users| users.insert(user.id.clone(), user.clone())).unwrap();
        assert!(former.is_some());
    }

    async fn delete_user(&self, id: &UserId) {
        self.0.with_users(|users| users.remove(id)).unwrap();
    }
}

fn program_ends_well() -> Trial {
    Trial::test("the_program_notices_reuse_and_logs_out", || {
        let output = Command::new(env!("CARGO_BIN_EXE_own-store")).output()?;
        let printed = String::from_utf8(output.stdout)?;
        let events: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix("audit log: ")).collect();
        assert_eq!(events, ["login_succeeded", "refresh_token_reused", "login_succeeded", "logged_out_all"]);
        assert!(output.status.success());
        Ok(())
    })
}

fn main() -> ExitCode {
    let mut trials = token_contract!(own_store, Host::default());
    trials.push(program_ends_well());
    run_trials(trials)
}
