//! The cases find broken stores. Each broken store fails the cases about its defect and passes others, which shows
//! that the cases found the defect and not a store that does nothing at all.

use std::sync::Arc;

use auth_accounts::ports::Store;
use tokio::task::{LocalSet, spawn_local};

use super::{Broken, Defect};
use crate::cases::{AccountHost, TokenHost};
use crate::cases::{
    account_races, accounts, adoption, attempt_races, attempts, blacklist, changes, code_races, codes, emails,
    end_of_all_races, mail_retries, outbox, outbox_races, password_races, passwords, redeeming, second_factors,
    security_stamps, session_races, sessions, starting, subjects,
};

/// How many times a case may run until it fails. All but a few of the races fail at once.
const TRIES: usize = 20;

/// What a case of either half takes.
trait Fixture {
    fn of(broken: Broken) -> Self;
}

impl Fixture for Arc<dyn Store> {
    fn of(broken: Broken) -> Self {
        Arc::new(broken)
    }
}

impl Fixture for Arc<dyn TokenHost> {
    fn of(broken: Broken) -> Self {
        Arc::new(AccountHost::new(Arc::new(broken)))
    }
}

/// Whether a fresh store with this defect passes a case. The case runs on this thread, so that the output of its panic
/// is captured; the tasks that it spawns run on the others.
async fn passes<S, F>(defect: Defect, case: impl Fn(S) -> F) -> bool
where
    S: Fixture,
    F: Future<Output = ()> + 'static,
{
    let run = case(S::of(Broken::new(defect)));
    match LocalSet::new().run_until(async { spawn_local(run).await }).await {
        Ok(()) => true,
        Err(error) => {
            assert!(error.is_panic());
            false
        }
    }
}

async fn fails<S, F>(defect: Defect, case: impl Fn(S) -> F) -> bool
where
    S: Fixture,
    F: Future<Output = ()> + 'static,
{
    for _ in 0..TRIES {
        if !passes(defect, &case).await {
            return true;
        }
    }
    false
}

macro_rules! found_out {
    ($($test:ident: $defect:ident fails [$($failed:path),+] passes [$($passed:path),+])*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(assert!(fails(Defect::$defect, $failed).await, stringify!($failed));)+
                $(assert!(passes(Defect::$defect, $passed).await, stringify!($passed));)+
            }
        )*
    };
}

// A read, then a write: wrong only when calls are concurrent.
found_out! {
    a_rotation_in_two_steps: RotatesInTwoSteps
        fails [session_races::one_of_many_rotations_wins, session_races::a_rotation_never_revives_a_revoked_session,
            end_of_all_races::a_rotation_never_survives_the_end_of_all_sessions]
        passes [sessions::only_the_live_generation_is_rotated, sessions::a_revoked_session_is_not_rotated]
    a_login_in_two_steps: StartsInTwoSteps
        fails [end_of_all_races::no_login_escapes_the_end_of_all_sessions]
        passes [starting::no_session_starts_after_the_end_of_all_sessions]
    an_adoption_in_two_steps: AdoptsInTwoSteps
        fails [end_of_all_races::no_adoption_escapes_the_end_of_all_sessions]
        passes [adoption::a_token_not_issued_after_a_moved_epoch_is_not_adopted]
    a_promotion_in_two_steps: PromotesInTwoSteps
        fails [security_stamps::no_login_escapes_a_promotion]
        passes [security_stamps::a_promotion_of_an_administrator_changes_nothing]
    a_pruning_in_two_steps: PrunesInTwoSteps
        fails [session_races::a_session_that_was_rotated_in_time_is_not_pruned]
        passes [sessions::only_sessions_whose_last_token_expired_before_are_pruned,
            sessions::at_most_so_many_sessions_are_pruned]
    an_end_of_all_that_counts_in_two_steps: CountsInTwoSteps
        fails [session_races::each_session_is_ended_by_one_of_many_ends_of_all]
        passes [sessions::the_end_of_all_sessions_spares_the_one_to_keep_and_other_accounts]
    a_session_read_before_its_user: FindsTornSessions
        fails [end_of_all_races::a_session_and_its_user_are_read_at_one_moment]
        passes [starting::a_session_is_found_with_its_user_as_it_is_now]
    a_registration_in_two_steps: CreatesInTwoSteps
        fails [account_races::one_of_many_new_accounts_gets_the_name,
            account_races::one_of_many_new_accounts_gets_the_address]
        passes [accounts::a_name_with_the_same_canonical_form_is_taken]
    a_renaming_in_two_steps: RenamesInTwoSteps
        fails [account_races::one_of_many_renamed_accounts_gets_the_name]
        passes [changes::an_empty_profile_change_answers_the_account_as_it_is]
    a_profile_written_back_whole: WritesWholeProfiles
        fails [account_races::changes_to_different_fields_are_all_kept]
        passes [changes::a_profile_change_changes_what_is_given_and_nothing_else]
    an_upgrade_in_two_steps: UpgradesInTwoSteps
        fails [account_races::a_hash_upgrade_never_brings_the_old_password_back]
        passes [changes::a_hash_upgrade_does_not_undo_a_password_change]
    a_password_change_in_two_steps: SetsPasswordsInTwoSteps
        fails [account_races::an_account_and_its_hash_are_read_at_one_moment,
            account_races::a_dropped_password_change_happens_whole_or_not_at_all]
        passes [changes::a_password_change_ends_every_session_of_the_account]
    a_password_compared_in_two_steps: ChecksPasswordsInTwoSteps
        fails [password_races::one_of_many_passwords_in_place_of_the_same_one_is_set]
        passes [passwords::a_password_takes_the_place_of_the_one_that_was_compared]
    a_try_in_two_steps: TriesInTwoSteps
        fails [code_races::no_more_tries_are_answered_than_a_code_has]
        passes [codes::a_code_is_tried_so_often_and_no_more]
    a_redemption_in_two_steps: RedeemsInTwoSteps
        fails [code_races::one_of_many_redemptions_of_a_code_wins]
        passes [redeeming::a_code_is_redeemed_once, redeeming::an_ended_code_is_not_redeemed]
    a_removal_in_two_steps: RemovesInTwoSteps
        fails [code_races::no_recovery_code_outlives_the_last_factor]
        passes [second_factors::a_factor_is_removed_and_the_last_one_takes_the_recovery_codes]
    attempts_counted_in_two_steps: AdmitsInTwoSteps
        fails [attempt_races::exactly_the_limit_is_let_in_of_many,
            attempt_races::two_buckets_are_counted_in_whatever_order]
        passes [attempts::so_many_attempts_are_let_in_while_a_window_is_open,
            attempts::attempts_in_a_row_wait_longer_and_longer]
    mails_taken_out_in_two_steps: ClaimsInTwoSteps
        fails [outbox_races::each_mail_is_taken_out_by_one_of_many]
        passes [outbox::mails_are_taken_out_in_the_order_in_which_they_were_put_in]
    a_store_that_fails_when_busy: FailsWhenBusy
        fails [account_races::a_storm_of_calls_for_one_account_ends_without_an_error,
            session_races::a_storm_of_token_calls_for_one_user_ends_without_an_error,
            attempt_races::two_buckets_are_counted_in_whatever_order]
        passes [changes::an_account_is_deactivated_and_activated_and_nothing_else_changes]
}

// Wrong for a single caller already: at least one for each port.
found_out! {
    names_that_are_not_unique: NamesAreNotUnique
        fails [accounts::a_name_with_the_same_canonical_form_is_taken,
            account_races::one_of_many_new_accounts_gets_the_name]
        passes [accounts::a_new_account_is_found_with_every_field, accounts::a_login_name_is_compared_exactly]
    a_deletion_without_cascade: DeletesWithoutCascade
        fails [changes::a_deleted_account_leaves_nothing_behind, session_races::no_session_outlives_its_account]
        passes [changes::a_deleted_account_frees_its_name_and_address]
    a_password_by_any_code: IgnoresTheCode
        fails [passwords::a_code_sets_a_password_if_it_can_be_used,
            password_races::one_of_many_passwords_by_the_same_code_is_set,
            code_races::a_code_is_used_for_one_of_many_things]
        passes [passwords::a_password_takes_the_place_of_the_one_that_was_compared]
    an_email_address_by_a_used_code: ConfirmsWithUsedCodes
        fails [emails::a_code_confirms_an_address_if_it_can_be_used,
            password_races::one_of_many_confirmations_by_a_code_is_done]
        passes [emails::a_code_changes_the_address_of_its_account]
    a_rotation_of_any_generation: RotatesAnyGeneration
        fails [sessions::only_the_live_generation_is_rotated, session_races::one_of_many_rotations_wins]
        passes [sessions::a_revoked_session_is_not_rotated]
    lost_revocations: LosesRevocations
        fails [sessions::a_session_is_revoked_once_and_the_first_reason_stays,
            session_races::a_rotation_never_revives_a_revoked_session]
        passes [sessions::a_missing_session_is_neither_rotated_nor_revoked, session_races::one_of_many_rotations_wins]
    a_login_of_an_inactive_user: StartsForTheInactive
        fails [starting::no_session_starts_for_an_inactive_account,
            session_races::no_session_starts_once_an_account_is_inactive]
        passes [starting::no_session_starts_after_the_end_of_all_sessions]
    an_adoption_that_replaces_the_session: ReplacesAdoptedSessions
        fails [adoption::an_adopted_session_is_left_as_it_is,
            session_races::many_adoptions_of_one_token_make_one_session]
        passes [adoption::a_token_from_elsewhere_becomes_a_session_with_every_field]
    revocations_that_overwrite_the_first: RevokesAgain
        fails [sessions::a_session_is_revoked_once_and_the_first_reason_stays,
            session_races::one_of_many_revocations_is_the_first]
        passes [sessions::a_revoked_session_is_not_rotated]
    older_codes_that_do_not_end: EndsNoOlderCodes
        fails [codes::a_newer_code_ends_older_ones_of_its_purpose_and_account,
            code_races::one_of_many_codes_that_end_each_other_is_left]
        passes [codes::an_issued_code_is_found_with_every_field]
    codes_that_answer_nothing: IssuesWithoutRequest
        fails [codes::a_code_that_answers_no_request_is_not_issued, code_races::one_of_many_codes_answers_a_request]
        passes [codes::a_code_takes_the_request_that_it_answers_out]
    time_steps_that_are_good_twice: IgnoresTheTimeStep
        fails [redeeming::a_time_step_proves_once_and_none_before_it_any_more,
            code_races::a_recovery_code_or_time_step_proves_one_of_many_codes]
        passes [redeeming::a_code_is_redeemed_once]
    codes_of_deleted_accounts: LeavesCodesOfTheDeleted
        fails [second_factors::a_deleted_account_leaves_no_code_and_no_factor, code_races::no_code_outlives_its_account]
        passes [changes::a_deleted_account_frees_its_name_and_address]
    attempts_that_are_not_taken_back: ForgivesNothing
        fails [attempts::an_attempt_is_taken_back, attempt_races::attempts_are_taken_back_while_others_are_counted]
        passes [attempts::several_buckets_count_an_attempt_all_or_none]
    an_end_of_all_that_forgets_the_epoch: EndsAllButTheEpoch
        fails [sessions::the_end_of_all_sessions_moves_the_epoch_even_if_there_is_none,
            starting::no_session_starts_after_the_end_of_all_sessions,
            end_of_all_races::no_adoption_escapes_the_end_of_all_sessions]
        passes [sessions::the_end_of_all_sessions_spares_the_one_to_keep_and_other_accounts]
    subjects_in_any_letter_case: FindsSubjectsInAnyCase
        fails [subjects::an_account_is_found_by_exactly_its_name_and_address]
        passes [subjects::a_subject_may_be_any_text, subjects::an_inactive_account_is_found_by_its_subject]
    a_limit_that_ends_the_newest_sessions: EndsNewestSurplus
        fails [sessions::the_least_recently_used_of_too_many_sessions_end]
        passes [sessions::the_end_of_all_sessions_spares_the_one_to_keep_and_other_accounts]
    a_blacklist_that_is_always_new: BlacklistsAgainAndAgain
        fails [blacklist::a_token_is_refused_from_the_first_time_on,
            blacklist::one_of_many_refusals_of_a_token_is_the_first]
        passes [blacklist::tokens_are_told_apart_exactly]
    codes_that_are_good_twice: RedeemsTwice
        fails [redeeming::a_code_is_redeemed_once, redeeming::an_ended_code_is_not_redeemed,
            code_races::one_of_many_redemptions_of_a_code_wins]
        passes [redeeming::an_authenticator_that_is_not_on_proves_nothing]
    a_factor_by_any_code: AddsFactorsByAnyCode
        fails [second_factors::a_factor_is_added_by_an_unused_code_of_its_account_only,
            code_races::a_code_is_used_for_one_of_many_things]
        passes [second_factors::an_added_factor_is_found_with_every_field]
    attempts_counted_although_refused: CountsTheRefused
        fails [attempts::several_buckets_count_an_attempt_all_or_none,
            attempt_races::what_one_bucket_refuses_is_counted_in_no_other]
        passes [attempts::so_many_attempts_are_let_in_while_a_window_is_open]
    a_rotation_without_its_effects: LosesEffects
        fails [outbox::changes_of_sessions_and_rights_enqueue_their_emails]
        passes [outbox::changes_that_do_not_take_effect_enqueue_nothing, sessions::only_the_live_generation_is_rotated]
    an_outcome_of_any_claim: AcceptsAnyOutcome
        fails [outbox::only_the_last_claim_reports_an_outcome, outbox_races::a_mail_is_done_with_or_taken_over]
        passes [outbox::a_postponed_mail_is_due_at_its_moment]
    a_pruning_without_limit: PrunesWithoutLimit
        fails [sessions::at_most_so_many_sessions_are_pruned, blacklist::at_most_so_many_tokens_are_pruned,
            codes::at_most_so_many_codes_are_pruned, attempts::at_most_so_many_counts_are_pruned,
            mail_retries::at_most_so_many_mails_are_pruned]
        passes [sessions::only_sessions_whose_last_token_expired_before_are_pruned,
            blacklist::only_tokens_that_expired_before_are_pruned]
}
