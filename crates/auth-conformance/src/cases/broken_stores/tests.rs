//! Tests of the storage cases: each broken store fails the cases that cover its defect. It passes others, which shows
//! that the defect was detected and not a store that does nothing.

use std::sync::Arc;

use auth_accounts::ports::Store;
use tokio::task::{LocalSet, spawn_local};

use super::{Broken, Defect};
use crate::cases::{AccountHost, TokenHost};
use crate::cases::{
    account_races, accounts, adoption, attempt_races, attempts, blacklist, changes, code_races, code_redemption, codes,
    email_retries, emails, outbox, outbox_races, password_races, passwords, revocation_races, second_factors,
    security_stamps, session_races, session_starts, sessions, subjects,
};

/// How often a case is run until it fails. Most fail in the first run; some races do not.
const MAX_RUNS: usize = 20;

/// The argument of a case of either half.
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
/// is captured; the tasks that it spawns run on other threads.
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
    for _ in 0..MAX_RUNS {
        if !passes(defect, &case).await {
            return true;
        }
    }
    false
}

macro_rules! detects {
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

// A read followed by a write: incorrect only under concurrency.
detects! {
    detects_a_rotation_in_two_steps: RotatesInTwoSteps
        fails [session_races::one_of_many_rotations_succeeds, session_races::a_rotation_never_revives_a_revoked_session,
            revocation_races::no_rotation_survives_revoke_all]
        passes [sessions::rotates_only_the_live_generation, sessions::refuses_to_advance_a_revoked_session]
    detects_a_login_in_two_steps: StartsInTwoSteps
        fails [revocation_races::no_login_survives_revoke_all]
        passes [session_starts::no_session_starts_for_a_user_read_before_revoke_all]
    detects_an_adoption_in_two_steps: AdoptsInTwoSteps
        fails [revocation_races::no_adoption_survives_revoke_all]
        passes [adoption::refuses_to_adopt_a_token_not_issued_after_the_epoch]
    detects_a_promotion_in_two_steps: PromotesInTwoSteps
        fails [security_stamps::no_login_survives_a_promotion]
        passes [security_stamps::a_promotion_of_a_staff_user_changes_nothing]
    detects_pruning_in_two_steps: PrunesInTwoSteps
        fails [session_races::pruning_spares_a_session_rotated_meanwhile]
        passes [sessions::prunes_only_expired_sessions,
            sessions::prunes_no_more_sessions_than_the_limit]
    detects_revoke_all_that_counts_in_two_steps: CountsInTwoSteps
        fails [session_races::concurrent_revoke_all_calls_revoke_each_session_once]
        passes [sessions::revoke_all_spares_the_kept_session_and_other_accounts]
    detects_a_session_read_before_its_user: FindsTornSessions
        fails [revocation_races::find_session_reads_one_snapshot]
        passes [session_starts::find_session_returns_the_current_user]
    detects_a_registration_in_two_steps: CreatesInTwoSteps
        fails [account_races::one_of_many_new_accounts_gets_the_username,
            account_races::one_of_many_new_accounts_gets_the_email_address]
        passes [accounts::a_username_with_the_same_canonical_form_is_taken]
    detects_a_rename_in_two_steps: RenamesInTwoSteps
        fails [account_races::one_of_many_renamed_accounts_gets_the_username]
        passes [changes::an_empty_profile_change_returns_the_account_unchanged]
    detects_a_profile_written_back_whole: WritesWholeProfiles
        fails [account_races::concurrent_changes_to_different_fields_are_all_stored]
        passes [changes::a_profile_change_changes_only_the_given_fields]
    detects_a_hash_upgrade_in_two_steps: UpgradesInTwoSteps
        fails [account_races::a_hash_upgrade_never_restores_the_old_password]
        passes [changes::a_hash_upgrade_does_not_undo_a_password_change]
    detects_a_password_change_in_two_steps: SetsPasswordsInTwoSteps
        fails [account_races::find_for_login_reads_one_snapshot,
            account_races::a_dropped_password_change_is_atomic]
        passes [changes::a_password_change_revokes_every_session_of_the_account]
    detects_a_stamp_checked_in_two_steps: ChecksPasswordsInTwoSteps
        fails [password_races::one_of_many_passwords_at_the_same_stamp_is_set]
        passes [passwords::sets_a_password_only_at_the_stamp_that_was_read]
    detects_an_attempt_in_two_steps: TriesInTwoSteps
        fails [code_races::concurrent_attempts_do_not_exceed_the_limit_of_a_code]
        passes [codes::a_code_allows_a_limited_number_of_attempts]
    detects_a_redemption_in_two_steps: RedeemsInTwoSteps
        fails [code_races::one_of_many_redemptions_of_a_code_succeeds]
        passes [code_redemption::a_code_is_redeemed_only_once, code_redemption::refuses_to_redeem_an_ended_code]
    detects_a_removal_in_two_steps: RemovesInTwoSteps
        fails [code_races::no_recovery_code_outlives_the_last_factor]
        passes [second_factors::removing_the_last_factor_removes_the_recovery_codes]
    detects_attempts_counted_in_two_steps: AdmitsInTwoSteps
        fails [attempt_races::concurrent_attempts_are_allowed_up_to_the_limit,
            attempt_races::concurrent_attempts_may_list_limit_keys_in_any_order]
        passes [attempts::a_window_allows_a_limited_number_of_attempts,
            attempts::the_delay_grows_with_each_attempt]
    detects_emails_claimed_in_two_steps: ClaimsInTwoSteps
        fails [outbox_races::each_email_is_claimed_by_one_of_many_workers]
        passes [outbox::claims_emails_in_the_order_in_which_they_were_enqueued]
    detects_a_store_that_fails_when_busy: FailsWhenBusy
        fails [account_races::concurrent_calls_for_one_account_do_not_fail,
            session_races::concurrent_token_calls_for_one_user_do_not_fail,
            attempt_races::concurrent_attempts_may_list_limit_keys_in_any_order]
        passes [changes::set_active_changes_nothing_else]
}

// Incorrect even without concurrency: at least one defect for each port.
detects! {
    detects_names_that_are_not_unique: NamesAreNotUnique
        fails [accounts::a_username_with_the_same_canonical_form_is_taken,
            account_races::one_of_many_new_accounts_gets_the_username]
        passes [accounts::stores_every_field_of_an_account, accounts::a_login_name_is_compared_exactly]
    detects_a_deletion_without_cascade: DeletesWithoutCascade
        fails [changes::a_deleted_account_leaves_nothing_behind, session_races::no_session_outlives_its_account]
        passes [changes::a_deleted_account_frees_its_name_and_address]
    detects_a_password_set_with_any_code: IgnoresTheCode
        fails [passwords::sets_a_password_only_with_a_usable_code,
            password_races::one_of_many_passwords_with_the_same_code_is_set,
            code_races::a_code_is_used_for_only_one_call]
        passes [passwords::sets_a_password_only_at_the_stamp_that_was_read]
    detects_an_email_address_verified_with_a_used_code: ConfirmsWithUsedCodes
        fails [emails::verifies_an_email_address_only_with_a_usable_code,
            password_races::one_of_many_verifications_with_a_code_succeeds]
        passes [emails::a_code_changes_the_email_address_of_its_account]
    detects_a_rotation_of_any_generation: RotatesAnyGeneration
        fails [sessions::rotates_only_the_live_generation, session_races::one_of_many_rotations_succeeds]
        passes [sessions::refuses_to_advance_a_revoked_session]
    detects_lost_revocations: LosesRevocations
        fails [sessions::a_second_revocation_changes_nothing,
            session_races::a_rotation_never_revives_a_revoked_session]
        passes [sessions::refuses_to_advance_or_revoke_a_missing_session, session_races::one_of_many_rotations_succeeds]
    detects_a_login_of_an_inactive_user: StartsForInactiveUsers
        fails [session_starts::no_session_starts_for_an_inactive_account,
            session_races::no_session_starts_after_a_deactivation]
        passes [session_starts::no_session_starts_for_a_user_read_before_revoke_all]
    detects_an_adoption_that_replaces_the_session: ReplacesAdoptedSessions
        fails [adoption::a_second_adoption_changes_nothing,
            session_races::concurrent_adoptions_of_one_token_create_one_session]
        passes [adoption::adoption_stores_every_field_of_the_session]
    detects_revocations_that_overwrite_the_first: RevokesAgain
        fails [sessions::a_second_revocation_changes_nothing,
            session_races::one_of_many_revocations_succeeds]
        passes [sessions::refuses_to_advance_a_revoked_session]
    detects_older_codes_that_do_not_end: EndsNoOlderCodes
        fails [codes::a_new_code_ends_older_ones_of_its_purpose_and_account,
            code_races::one_of_many_codes_that_end_each_other_stays_open]
        passes [codes::stores_every_field_of_a_code]
    detects_codes_that_answer_no_request: IssuesWithoutRequest
        fails [codes::issues_an_answer_only_while_the_request_exists, code_races::one_of_many_codes_answers_a_request]
        passes [codes::issuing_a_code_removes_the_request_that_it_answers]
    detects_time_steps_that_are_good_twice: IgnoresTheTimeStep
        fails [code_redemption::a_time_step_is_good_once_and_invalidates_earlier_ones,
            code_races::a_recovery_code_or_time_step_redeems_one_of_many_codes]
        passes [code_redemption::a_code_is_redeemed_only_once]
    detects_codes_of_deleted_accounts: LeavesCodesOfDeletedUsers
        fails [second_factors::a_deleted_account_leaves_no_code_and_no_factor, code_races::no_code_outlives_its_account]
        passes [changes::a_deleted_account_frees_its_name_and_address]
    detects_attempts_that_are_not_refunded: RefundsNothing
        fails [attempts::refunds_one_attempt, attempt_races::concurrent_refunds_lose_no_attempt]
        passes [attempts::counts_an_attempt_for_all_limit_keys_or_for_none]
    detects_revoke_all_that_keeps_the_epoch: KeepsTheEpoch
        fails [sessions::revoke_all_advances_the_epoch_without_live_sessions,
            session_starts::no_session_starts_for_a_user_read_before_revoke_all,
            revocation_races::no_adoption_survives_revoke_all]
        passes [sessions::revoke_all_spares_the_kept_session_and_other_accounts]
    detects_subjects_found_in_any_letter_case: FindsSubjectsInAnyCase
        fails [subjects::a_subject_is_compared_exactly]
        passes [subjects::a_subject_may_be_any_string, subjects::an_inactive_account_is_found_by_its_subject]
    detects_a_session_limit_that_revokes_the_newest: RevokesNewestSurplus
        fails [sessions::the_session_limit_revokes_the_least_recently_used]
        passes [sessions::revoke_all_spares_the_kept_session_and_other_accounts]
    detects_a_blacklist_that_always_reports_new_entries: BlacklistsRepeatedly
        fails [blacklist::a_blacklisted_token_stays_refused,
            blacklist::one_of_many_refusals_of_a_token_is_the_first]
        passes [blacklist::token_ids_are_compared_exactly]
    detects_codes_that_are_good_twice: RedeemsTwice
        fails [code_redemption::a_code_is_redeemed_only_once, code_redemption::refuses_to_redeem_an_ended_code,
            code_races::one_of_many_redemptions_of_a_code_succeeds]
        passes [code_redemption::refuses_a_time_step_without_an_authenticator]
    detects_a_factor_added_with_any_code: AddsFactorsByAnyCode
        fails [second_factors::adds_a_factor_only_with_an_unused_code_of_the_account,
            code_races::a_code_is_used_for_only_one_call]
        passes [second_factors::stores_every_field_of_a_factor]
    detects_counted_refusals: CountsRefusedAttempts
        fails [attempts::counts_an_attempt_for_all_limit_keys_or_for_none,
            attempt_races::a_refused_concurrent_attempt_is_counted_for_no_limit_key]
        passes [attempts::a_window_allows_a_limited_number_of_attempts]
    detects_writes_without_their_effects: LosesEffects
        fails [outbox::changes_of_sessions_and_rights_enqueue_their_emails]
        passes [outbox::changes_that_do_not_take_effect_enqueue_nothing, sessions::rotates_only_the_live_generation]
    detects_an_outcome_of_any_claim: AcceptsAnyOutcome
        fails [outbox::only_the_last_claim_reports_an_outcome, outbox_races::an_expired_claim_is_either_reported_or_claimed_again]
        passes [outbox::a_rescheduled_email_is_due_at_the_given_time]
    detects_pruning_without_limit: PrunesWithoutLimit
        fails [sessions::prunes_no_more_sessions_than_the_limit, blacklist::prunes_no_more_blacklist_entries_than_the_limit,
            codes::prunes_no_more_codes_than_the_limit, attempts::prunes_no_more_counts_than_the_limit,
            email_retries::prunes_no_more_emails_than_the_limit]
        passes [sessions::prunes_only_expired_sessions,
            blacklist::prunes_only_expired_blacklist_entries]
}
