//! What every back end promises, as functions over a [`Store`]: each runs on each back end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use headroom_store::{Store, StoreConfig};
use tempfile::TempDir;

mod audit;
mod backups;
mod benchmarks;
mod deployments;
mod durability;
mod figures;
mod fixtures;
mod identity;
mod lists;
mod older;
mod postgres;
mod proposals;
mod queue;
mod restore;
mod samples;
mod schema;
mod services;
mod tampering;
mod together;
mod upgrade;

/// A fresh database in a PostgreSQL that goes when this process ends.
async fn fresh_postgres() -> Store {
    Store::open(&StoreConfig::at(postgres::database().await)).await.unwrap()
}

/// A fresh SQLite database in a folder that goes when the test ends.
async fn sqlite() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::sqlite(folder.path().join("headroom.db"))).await.unwrap();
    (folder, store)
}

macro_rules! contract {
    ($($module:ident { $($promise:ident),* $(,)? })*) => {
        mod on_sqlite {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let (_folder, store) = crate::sqlite().await;
                    crate::$module::$promise(&store).await;
                })*
            })*
        }
        mod on_postgres {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let store = crate::fresh_postgres().await;
                    crate::$module::$promise(&store).await;
                    store.close().await;
                })*
            })*
        }
    };
}

contract! {
    services {
        an_inventory_replaces_what_was_known,
        names_are_bare_where_unique_and_full_where_not,
        a_services_summary_fills_its_row,
        a_services_class_outlives_its_next_summary,
        live_numbers_refresh_a_summary,
        an_unknown_cluster_is_named,
    }
    lists {
        services_are_filtered_and_sorted_and_unknown_values_come_last,
        pages_neither_lose_nor_repeat_a_row_under_insert,
        recommendations_are_filtered_by_every_field,
        bad_cursors_and_words_are_named,
        signs_of_patterns_are_taken_literally,
    }
    proposals {
        a_recommendation_comes_back_as_it_was,
        a_long_name_is_no_fault,
        a_nul_is_refused,
        superseding_spares_what_people_proposed,
        one_change_holds_a_service,
        a_stale_change_is_not_written,
        the_recommendation_follows_its_newest_change,
        an_older_change_does_not_overwrite_the_view_of_the_newest,
        comments_come_oldest_first,
        jobs_come_back_and_unfinished_ones_are_found,
        outcomes_make_a_track_record,
        the_ledger_counts_what_is_in_force,
        policies_come_widest_first,
    }
    benchmarks {
        a_run_of_the_same_time_and_commit_replaces_the_one_before,
        benchmarks_are_listed_by_team_suite_and_step,
    }
    deployments {
        a_deploy_is_kept_once_whoever_tells_of_it,
        deploys_are_listed_by_team_and_service,
        an_inventory_tells_which_services_run_another_version,
    }
    identity {
        users_are_unique_and_can_be_locked,
        passwords_belong_to_users,
        codes_work_once_and_not_late,
        tokens_end_with_revocation_and_with_a_lock,
        sessions_come_and_go,
        an_identity_providers_user_is_found_by_subject,
        a_second_factor_is_there_until_it_is_removed,
        answers_are_replayed_to_the_same_request_only,
        a_key_is_claimed_with_its_effect,
    }
    queue {
        work_is_leased_once_and_fenced,
        a_renewed_lease_lasts,
        a_clock_that_is_set_back_holds_no_work,
        work_enqueued_while_in_hand_runs_once_more,
        only_the_asked_kinds_are_leased,
        cancelled_work_fences_its_worker_off,
        thirty_two_writers_meet_no_lock,
        many_workers_share_the_queue_without_doing_anything_twice,
    }
    together {
        a_process_by_itself_leads,
    }
    audit {
        events_are_chained_published_and_found,
        an_aborted_transaction_leaves_no_entry,
        links_lead_to_pages,
        a_shortened_chain_is_betrayed_by_its_exported_end,
    }
    samples {
        head_and_chunks_are_one_history,
        late_samples_are_merged_when_compacted,
        gaps_stay_gaps_and_the_last_write_wins,
        steps_are_merged_on_the_coarsest_grid,
        a_fleet_is_streamed_in_batches,
        old_samples_are_forgotten_in_whole_days,
        what_was_kept_of_a_day_goes_when_its_samples_change,
        the_newest_values_are_known,
        an_aborted_frame_leaves_no_series,
    }
    backups {
        a_backup_goes_back_into_either_back_end,
        a_damaged_backup_is_refused_and_changes_nothing,
        a_backup_is_taken_while_others_write,
    }
    figures {
        the_frame_counts_what_waits_for_this_person,
        the_overview_adds_up,
    }
}
