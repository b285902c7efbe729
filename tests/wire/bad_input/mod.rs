//! Bad input: malicious bodies, forged tokens and unusual requests, and the rules of the strict default profile.
//!
//! Most cases share servers (see [`shared_servers`]) and use accounts of their own. Every answer must satisfy
//! [`auth_tests::answers::problem_with`]: no 5xx, valid JSON, the security headers.

mod answer_contents;
mod authorization_header;
mod body_fields;
mod forged_tokens;
mod jose_headers;
mod json_documents;
mod methods_and_paths;
mod naughty_strings;
mod openapi_and_health;
mod password_rules;
mod published_vectors;
mod request_bodies;
mod request_smuggling;
mod session_rules;
mod shared_servers;
mod signing_keys;
mod token_claims;
mod token_types;
mod usernames_and_emails;

use libtest_mimic::Trial;

pub(crate) use shared_servers::SharedServers;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    let topics = [
        answer_contents::trials,
        authorization_header::trials,
        body_fields::trials,
        jose_headers::trials,
        json_documents::trials,
        methods_and_paths::trials,
        naughty_strings::trials,
        openapi_and_health::trials,
        password_rules::trials,
        published_vectors::trials,
        request_bodies::trials,
        request_smuggling::trials,
        session_rules::trials,
        signing_keys::trials,
        token_claims::trials,
        token_types::trials,
        usernames_and_emails::trials,
    ];
    topics.into_iter().flat_map(|trials| trials(servers)).collect()
}
