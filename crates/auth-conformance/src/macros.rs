//! The list of cases, which exists only here, and the tests made of it.

/// Makes one named test for each case of the contract, in a module of this name, for stores that an expression makes:
/// fresh and empty each time. It may await.
///
/// ```
/// # use auth_conformance::{MemoryStore, storage_contract};
/// storage_contract!(memory, MemoryStore::default());
/// # fn main() {}
/// ```
///
/// The crate that uses it needs `tokio` with the features `macros` and `rt-multi-thread`. The tests are named
/// `memory::one_of_many_rotations_wins` and so on; a new case in the contract is a new test. What needs more than an
/// expression, such as tests that are ignored where there is no database, takes
/// [`storage_cases`](crate::storage_cases).
#[macro_export]
macro_rules! storage_contract {
    ($module:ident, $fresh:expr $(,)?) => {
        mod $module {
            #[allow(unused_imports, reason = "the expression may need nothing of what surrounds it")]
            use super::*;
            $crate::__storage_cases!(tests $fresh);
        }
    };
}

/// The one list of cases, handed to whoever makes something of it. A case that is written and not listed is dead code.
#[doc(hidden)]
#[macro_export]
macro_rules! __storage_cases {
    ($($wanted:tt)*) => {
        $crate::__of_each_case! {
            $($wanted)*;
            accounts {
                a_new_account_is_found_with_every_field
                an_account_at_every_limit_is_kept_byte_for_byte
                a_username_is_kept_however_long_its_canonical_form
                a_new_account_has_the_privileges_it_was_given
                a_name_with_the_same_canonical_form_is_taken
                an_address_with_the_same_canonical_form_is_taken
                the_name_is_reported_when_name_and_address_are_taken
                letter_case_makes_two_names_where_their_canonical_forms_differ
                the_same_name_is_taken_under_other_rules_too
                nobody_has_an_unknown_number
                an_account_made_here_has_no_key_from_elsewhere
                the_number_of_a_deleted_account_is_not_given_again
                a_login_name_is_compared_exactly
                a_login_name_may_be_any_text
                an_inactive_account_is_found_for_login
                accounts_are_listed_page_by_page_in_the_order_of_their_numbers
                there_is_a_superuser_until_the_last_one_is_demoted_or_deleted
            }
            groups {
                groups_are_set_replaced_and_emptied
                groups_are_found_in_every_way_an_account_is_read
                groups_survive_every_other_change_of_the_account
                nobody_is_put_into_groups
            }
            subjects {
                an_account_is_found_by_exactly_its_name_and_address
                a_subject_may_be_any_text
                a_name_that_was_given_up_names_nobody_until_another_takes_it
                an_inactive_account_is_found_by_its_subject
            }
            changes {
                a_profile_change_changes_what_is_given_and_nothing_else
                an_empty_profile_change_answers_the_account_as_it_is
                a_profile_change_to_what_another_has_changes_nothing
                an_account_may_keep_and_respell_its_own_name_and_address
                a_changed_name_is_taken_and_the_old_one_is_free
                what_is_asked_of_nobody_is_answered_so
                a_hash_is_upgraded_if_it_is_still_the_old_one
                a_hash_upgrade_does_not_undo_a_password_change
                a_password_change_ends_every_session_of_the_account
                an_account_is_deactivated_and_activated_and_nothing_else_changes
                an_administrator_is_made_and_unmade
                a_deleted_account_leaves_nothing_behind
                a_deleted_account_frees_its_name_and_address
            }
            starting {
                a_started_session_is_found_with_every_field
                a_session_at_every_limit_is_kept_byte_for_byte
                an_unknown_session_is_not_found
                a_login_is_noted_with_its_account_or_left
                no_session_starts_for_an_inactive_account
                no_session_starts_after_the_end_of_all_sessions
                no_session_starts_after_a_password_change
                no_session_starts_for_a_deleted_account
                the_account_at_rest_decides_whether_a_session_starts
                a_session_is_found_with_its_user_as_it_is_now
            }
            sessions {
                a_rotation_writes_the_next_generation_and_nothing_else
                only_the_live_generation_is_rotated
                a_revoked_session_is_not_rotated
                a_missing_session_is_neither_rotated_nor_revoked
                the_last_generation_is_reached
                a_rotation_asks_neither_the_time_nor_the_account
                a_session_is_revoked_once_and_the_first_reason_stays
                a_reused_session_ends_once_and_its_mails_go_with_it
                the_end_of_all_sessions_spares_the_one_to_keep_and_other_accounts
                a_session_to_keep_that_is_no_live_one_of_the_account_keeps_nothing
                the_end_of_all_sessions_moves_the_epoch_even_if_there_is_none
                the_epoch_moves_on_within_one_second_and_when_the_clock_goes_back
                only_sessions_whose_last_token_expired_before_are_pruned
                at_most_so_many_sessions_are_pruned
            }
            adoption {
                a_token_from_elsewhere_becomes_a_session_with_every_field
                an_adopted_session_is_left_as_it_is
                a_session_that_could_not_be_adopted_any_more_is_left_as_it_is
                a_blacklisted_token_is_not_adopted
                a_token_not_issued_after_a_moved_epoch_is_not_adopted
                no_token_from_before_a_password_change_is_adopted
                while_the_epoch_was_never_moved_any_token_is_adopted
                a_token_of_nobody_is_not_adopted
                a_session_is_kept_as_long_as_the_token_it_was_adopted_from
                adoption_does_not_ask_whether_the_account_is_active
            }
            blacklist {
                a_token_is_refused_from_the_first_time_on
                tokens_are_told_apart_exactly
                only_tokens_that_expired_before_are_pruned
                at_most_so_many_tokens_are_pruned
            }
            codes {
                an_issued_code_is_found_with_every_field
                a_code_for_nobody_is_not_issued
                a_code_is_issued_for_an_account_as_it_was_read
                a_newer_code_ends_older_ones_of_its_purpose_and_account
                a_code_takes_the_request_that_it_answers_out
                a_code_that_answers_no_request_is_not_issued
                a_code_is_tried_so_often_and_no_more
                a_code_is_tried_in_its_time_only
                a_used_or_ended_code_is_not_tried
                only_codes_that_expired_before_are_pruned
                at_most_so_many_codes_are_pruned
            }
            redeeming {
                a_code_is_redeemed_once
                a_code_is_redeemed_whatever_its_attempts_and_its_time
                an_ended_code_is_not_redeemed
                a_time_step_proves_once_and_none_before_it_any_more
                an_authenticator_that_is_not_on_proves_nothing
                a_recovery_code_proves_once
            }
            passwords {
                a_password_takes_the_place_of_the_one_that_was_compared
                a_code_sets_a_password_if_it_can_be_used
                a_code_that_was_tried_too_often_sets_a_password_all_the_same
                a_password_keeps_a_live_session_of_its_account_or_is_not_set
                the_session_to_keep_goes_on_and_all_others_end
                another_password_ends_the_open_codes_of_every_purpose
                a_password_proves_the_address_that_the_account_still_has
                every_condition_of_a_password_must_hold
            }
            emails {
                an_account_is_found_by_its_address_whatever_the_letter_case
                another_address_is_not_proven_and_ends_the_open_codes
                a_profile_change_that_moves_no_mailbox_ends_no_code
                the_mails_of_an_account_go_out_if_it_is_made_or_changed
                a_code_proves_the_address_of_its_account
                a_code_changes_the_address_of_its_account
                a_taken_address_is_not_confirmed
                an_address_that_the_account_has_no_more_is_not_confirmed
                a_code_confirms_an_address_if_it_can_be_used
            }
            second_factors {
                an_account_has_no_second_factor_at_first
                an_added_factor_is_found_with_every_field
                challenges_and_enrolments_end_when_a_factor_is_added_or_removed
                a_factor_takes_the_place_of_one_of_its_method
                a_factor_is_added_by_an_unused_code_of_its_account_only
                a_factor_by_mail_proves_the_address
                a_factor_is_removed_and_the_last_one_takes_the_recovery_codes
                what_is_not_on_is_not_removed
                recovery_codes_are_replaced_where_a_factor_is_on
                a_deleted_account_leaves_no_code_and_no_factor
            }
            attempts {
                so_many_attempts_are_let_in_while_a_window_is_open
                attempts_in_a_row_wait_longer_and_longer
                what_is_let_in_is_what_the_limit_decides
                several_buckets_count_an_attempt_all_or_none
                the_longest_wait_is_answered
                an_attempt_is_taken_back
                the_only_attempt_that_is_taken_back_was_never_counted
                a_count_is_taken_back_whole
                buckets_are_told_apart_exactly
                only_counts_that_expired_before_are_pruned
                at_most_so_many_counts_are_pruned
            }
            outbox {
                a_mail_is_taken_out_with_every_field
                mails_are_taken_out_in_the_order_in_which_they_were_put_in
                the_mail_that_is_due_for_longest_comes_first
                a_mail_that_was_taken_out_is_kept_from_others_until_its_moment
                only_the_last_claim_reports_an_outcome
                a_postponed_mail_is_due_at_its_moment
                a_mail_that_was_given_up_stays_and_is_not_taken_out
                the_outbox_is_listed_page_by_page
                the_mails_of_a_deleted_account_go_with_it
            }
            mail_retries {
                all_mails_that_were_given_up_are_tried_again
                one_mail_is_tried_again
                a_mail_that_somebody_has_taken_out_is_left_to_them
                a_clock_that_was_moved_back_holds_no_mail
                a_clock_that_was_moved_back_frees_what_was_taken_out
                a_mail_of_a_clock_that_is_ahead_is_due
                only_mails_that_were_given_up_before_are_pruned
                at_most_so_many_mails_are_pruned
            }
            session_races {
                one_of_many_rotations_wins
                a_rotation_never_revives_a_revoked_session
                a_rotation_never_survives_the_end_of_all_sessions
                one_of_many_revocations_is_the_first
                each_session_is_ended_by_one_of_many_ends_of_all
                many_adoptions_of_one_token_make_one_session
                no_adoption_escapes_the_end_of_all_sessions
                no_login_escapes_the_end_of_all_sessions
                no_session_outlives_its_account
                a_session_and_its_user_are_read_at_one_moment
                a_session_that_was_rotated_in_time_is_not_pruned
            }
            account_races {
                one_of_many_new_accounts_gets_the_name
                one_of_many_new_accounts_gets_the_address
                one_of_many_renamed_accounts_gets_the_name
                changes_to_different_fields_are_all_kept
                a_hash_upgrade_never_brings_the_old_password_back
                an_account_and_its_hash_are_read_at_one_moment
                no_session_starts_once_an_account_is_inactive
                a_dropped_password_change_happens_whole_or_not_at_all
                one_of_many_refusals_of_a_token_is_the_first
                a_storm_of_calls_for_one_account_ends_without_an_error
            }
            code_races {
                no_more_tries_are_answered_than_a_code_has
                one_of_many_redemptions_of_a_code_wins
                a_recovery_code_or_time_step_proves_one_of_many_codes
                one_of_many_codes_that_end_each_other_is_left
                one_of_many_codes_answers_a_request
                no_code_outlives_its_account
                a_code_is_used_for_one_of_many_things
                one_of_many_enrolments_at_once_is_confirmed
                no_recovery_code_outlives_the_last_factor
            }
            password_races {
                one_of_many_passwords_in_place_of_the_same_one_is_set
                one_of_many_passwords_by_the_same_code_is_set
                a_session_is_kept_by_a_password_or_rotated_by_another
                no_login_escapes_a_password_that_keeps_a_session
                one_of_many_accounts_gets_the_address_that_all_confirm
                one_of_many_confirmations_by_a_code_is_done
                an_address_is_given_in_one_of_many_ways
            }
            attempt_races {
                exactly_the_limit_is_let_in_of_many
                two_buckets_are_counted_in_whatever_order
                what_one_bucket_refuses_is_counted_in_no_other
                attempts_are_taken_back_while_others_are_counted
            }
            outbox_races {
                each_mail_is_taken_out_by_one_of_many
                one_of_many_outcomes_of_a_claim_counts
                a_mail_is_done_with_or_taken_over
                a_storm_of_calls_for_mails_ends_without_an_error
            }
        }
    };
}

/// Makes one named test for each case of the contract of feeds, in a module of this name, for the
/// [`FeedFixture`](crate::FeedFixture)s that an expression makes: a fresh, empty store each time. It may await.
///
/// ```
/// # use std::sync::Arc;
/// # use auth_conformance::{FeedFixture, MemoryStore, feed_contract};
/// fn fixture() -> FeedFixture {
///     let store = Arc::new(MemoryStore::default());
///     let feeds = [Box::new(store.changes()) as _, Box::new(store.changes()) as _];
///     FeedFixture { other: store.clone(), store, feeds }
/// }
///
/// feed_contract!(memory_feeds, fixture());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! feed_contract {
    ($module:ident, $fresh:expr $(,)?) => {
        mod $module {
            #[allow(unused_imports, reason = "the expression may need nothing of what surrounds it")]
            use super::*;
            $crate::__feed_cases!(feed_tests $fresh);
        }
    };
}

/// The one list of cases for feeds.
#[doc(hidden)]
#[macro_export]
macro_rules! __feed_cases {
    ($($wanted:tt)*) => {
        $crate::__of_each_case! {
            $($wanted)*;
            feeds {
                a_feed_begins_with_missed_and_says_it_once
                silence_is_answered_within_a_second
                the_end_of_a_session_is_reported_once
                the_end_of_all_sessions_is_reported_with_its_account
                a_password_change_is_reported_with_its_sessions
                each_change_of_an_account_is_reported
                a_deletion_is_reported
                what_changes_nothing_is_not_reported
                logins_and_rotations_are_not_reported
                what_another_process_does_is_reported
                changes_are_reported_in_their_order
                an_answer_leaves_no_older_change_out
                what_is_reported_can_be_read
                what_many_do_at_once_is_reported
                what_happens_while_nobody_asks_is_reported
            }
            feeds_of_proofs {
                a_proof_of_an_address_is_reported
                a_password_that_keeps_a_session_is_reported_without_it
            }
        }
    };
}

/// What can be made of a list: a table of [`Case`](crate::Case)s or [`FeedCase`](crate::FeedCase)s, or tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __of_each_case {
    (feed_table; $($file:ident { $($case:ident)* })*) => {
        ::std::vec![$($($crate::FeedCase {
            name: ::std::stringify!($case),
            run: |fixture| ::std::boxed::Box::pin($crate::cases::$file::$case(fixture)),
        }),*),*]
    };
    (table; $($file:ident { $($case:ident)* })*) => {
        ::std::vec![$($($crate::Case {
            name: ::std::stringify!($case),
            run: |store| ::std::boxed::Box::pin($crate::cases::$file::$case(store)),
        }),*),*]
    };
    (feed_tests $fresh:expr; $($file:ident { $($case:ident)* })*) => {
        $($(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                ($crate::feed_case(::std::stringify!($case)).run)($fresh).await;
            }
        )*)*
    };
    (tests $fresh:expr; $($file:ident { $($case:ident)* })*) => {
        $($(
            #[::tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let fresh = ::std::sync::Arc::new($fresh);
                ($crate::storage_case(::std::stringify!($case)).run)(fresh).await;
            }
        )*)*
    };
}
