//! The blacklist.

use std::sync::Arc;

use auth_core::effects::Effects;
use auth_core::time::UnixTime;
use auth_core::token::TokenId;
use macro_rules_attribute::apply;

use super::TokenHost;
use super::concurrency::{Gate, ROUNDS, answers, count};
use crate::at;

fn jti(text: &str) -> TokenId {
    TokenId::parse(text).unwrap()
}

#[apply(token_case!)]
async fn a_blacklisted_token_stays_refused(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let (token, other) = (jti("token"), jti("other"));
    assert!(!store.is_refused(&token).await.unwrap());
    assert!(store.refuse(&token, at(100), "test", &Effects::NONE).await.unwrap());
    assert!(store.is_refused(&token).await.unwrap());
    assert!(!store.refuse(&token, at(100), "test", &Effects::NONE).await.unwrap());
    assert!(!store.refuse(&token, at(200), "another reason", &Effects::NONE).await.unwrap());
    assert!(store.is_refused(&token).await.unwrap());
    assert!(!store.is_refused(&other).await.unwrap());
    assert!(store.refuse(&other, UnixTime::MAX, "", &Effects::NONE).await.unwrap());
}

#[apply(token_case!)]
async fn token_ids_are_compared_exactly(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let (long, longer) = ("\u{1F980}".repeat(254), "\u{1F980}".repeat(255));
    let names = ["a", "A", "a ", " a", "\u{FF41}", "caf\u{E9}", "cafe\u{301}", "'a'", "%", "_", "\\", &long, &longer];
    for name in names {
        assert!(!store.is_refused(&jti(name)).await.unwrap(), "{name:?}");
        assert!(store.refuse(&jti(name), at(100), "test", &Effects::NONE).await.unwrap(), "{name:?}");
    }
    for name in names {
        assert!(store.is_refused(&jti(name)).await.unwrap(), "{name:?}");
    }
}

#[apply(token_case!)]
async fn prunes_only_expired_blacklist_entries(host: Arc<dyn TokenHost>) {
    let store = host.store();
    for (name, expires_at) in [("later", at(101)), ("before", at(99)), ("now", at(100)), ("old", at(-5))] {
        assert!(store.refuse(&jti(name), expires_at, "test", &Effects::NONE).await.unwrap());
    }
    assert_eq!(store.prune_blacklist(at(100), 10).await.unwrap(), 2);
    for (name, is_left) in [("later", true), ("before", false), ("now", true), ("old", false)] {
        assert_eq!(store.is_refused(&jti(name)).await.unwrap(), is_left, "{name}");
    }
    assert_eq!(store.prune_blacklist(at(100), 10).await.unwrap(), 0);
    assert!(store.refuse(&jti("before"), at(99), "test", &Effects::NONE).await.unwrap(), "what was forgotten is new");
}

#[apply(token_case!)]
async fn prunes_no_more_blacklist_entries_than_the_limit(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let names: Vec<_> = (0..7).map(|n| jti(&n.to_string())).collect();
    for name in &names {
        assert!(store.refuse(name, at(10), "test", &Effects::NONE).await.unwrap());
    }
    for (limit, expected, left) in [(0, 0, 7), (3, 3, 4), (3, 3, 1), (u32::MAX, 1, 0), (3, 0, 0)] {
        assert_eq!(store.prune_blacklist(at(11), limit).await.unwrap(), expected);
        let mut refused = 0;
        for name in &names {
            refused += usize::from(store.is_refused(name).await.unwrap());
        }
        assert_eq!(refused, left);
    }
}

#[apply(token_case!)]
async fn one_of_many_refusals_of_a_token_is_the_first(host: Arc<dyn TokenHost>) {
    let store = host.store();
    for round in 0..ROUNDS {
        let gate = Gate::of(6, round, &store);
        let jti = TokenId::parse(&format!("token {round}")).unwrap();
        let rivals = (0..6).map(|_| {
            let jti = jti.clone();
            gate.send(move |store| async move { store.refuse(&jti, at(1), "test", &Effects::NONE).await.unwrap() })
        });
        assert_eq!(count(&answers(rivals.collect()).await, |first| *first), 1);
    }
    assert_eq!(store.prune_blacklist(at(2), u32::MAX).await.unwrap() as u64, ROUNDS);
}
