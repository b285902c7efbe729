//! The tables, as the migrations create them on both databases.

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use crate::types::Moment;

    users (id) {
        id -> BigInt,
        external_id -> Nullable<Text>,
        username -> Text,
        username_canonical -> Nullable<Text>,
        email -> Nullable<Text>,
        email_canonical -> Nullable<Text>,
        first_name -> Text,
        last_name -> Text,
        is_active -> Bool,
        is_staff -> Bool,
        is_superuser -> Bool,
        group_names -> Text,
        date_joined -> Moment,
        last_login -> Nullable<Moment>,
        email_verified_at -> Nullable<Moment>,
        token_epoch -> Moment,
        security_stamp -> BigInt,
        first_factor_at -> Nullable<Moment>,
        multi_factor_since -> Nullable<Moment>,
    }
}

diesel::table! {
    groups (id) {
        id -> BigInt,
        name -> Text,
    }
}

diesel::table! {
    user_groups (user_id, group_id) {
        user_id -> BigInt,
        group_id -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::types::Moment;

    credentials (user_id) {
        user_id -> BigInt,
        password_hash -> Text,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use crate::types::{Id, Moment};

    sessions (id) {
        id -> Id,
        user_id -> BigInt,
        generation -> Integer,
        rotated_at -> Moment,
        created_at -> Moment,
        last_used_at -> Moment,
        expires_at -> Moment,
        absolute_expires_at -> Nullable<Moment>,
        revoked_at -> Nullable<Moment>,
        revoke_reason -> Nullable<Text>,
        amr -> Text,
        authenticated_at -> Nullable<Moment>,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        prune_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::types::Moment;

    blacklist (jti) {
        jti -> Text,
        expires_at -> Moment,
        reason -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
    use crate::types::{Id, Moment};

    one_time_codes (id) {
        id -> Id,
        user_id -> BigInt,
        purpose -> Text,
        mac -> Nullable<Binary>,
        payload -> Nullable<Binary>,
        attempts -> Integer,
        created_at -> Moment,
        expires_at -> Moment,
        consumed_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use crate::types::Moment;

    second_factors (user_id, method) {
        user_id -> BigInt,
        method -> Text,
        secret -> Nullable<Binary>,
        last_step -> Nullable<BigInt>,
        since -> Moment,
    }
}

diesel::table! {
    recovery_codes (user_id, mac) {
        user_id -> BigInt,
        mac -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::{Integer, Text};
    use crate::types::Moment;

    login_attempts (bucket) {
        bucket -> Text,
        count -> Integer,
        since -> Moment,
        last_at -> Moment,
        expires_at -> Moment,
        prune_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
    use crate::types::{Id, Moment};

    outbox (seq) {
        seq -> BigInt,
        id -> Id,
        user_id -> Nullable<BigInt>,
        kind -> Text,
        recipient -> Text,
        content -> Binary,
        queued_at -> Moment,
        attempts -> Integer,
        next_attempt_at -> Nullable<Moment>,
        claimed_until -> Nullable<Moment>,
        failed_at -> Nullable<Moment>,
        last_error -> Nullable<Text>,
        priority -> SmallInt,
    }
}

diesel::joinable!(credentials -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(one_time_codes -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    credentials,
    sessions,
    one_time_codes,
    second_factors,
    recovery_codes
);
