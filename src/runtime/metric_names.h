// Every metric of the program: its name, kind, help and, of histograms, the bounds.
//
// Names are an interface: dashboards and alerts hold them. Rename nothing.
#pragma once

#include <span>
#include <string_view>

namespace cronally::runtime {

enum class MetricKind { counter, gauge, histogram };

struct MetricName {
  std::string_view name;
  MetricKind kind;
  std::string_view help;
  std::span<const double> bounds{};
};

namespace metric {

// Lateness in seconds: fine around the promises (2 ms, 10 ms, 1 s), coarse up to an outage.
inline constexpr double lateness_bounds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,   0.5,   1,     2.5,   5,    10,    60,   600};
// A commit: one fsync on an SSD is about 1 ms, on a disk about 20 ms.
inline constexpr double commit_bounds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                           0.1,    0.2,   0.5,   1,     2.5,  5};
// A request to a target; the default time-out is 30 s.
inline constexpr double request_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                            0.25,  0.5,    1,     2.5,  5,     10,   30};

inline constexpr MetricName schedule_lateness{
    "cronally_schedule_lateness_seconds", MetricKind::histogram,
    "First byte out minus the scheduled instant, of first attempts of scheduled runs.",
    lateness_bounds};
inline constexpr MetricName runs_total{"cronally_runs_total", MetricKind::counter,
                                       "Runs ended, by verdict."};  // verdict
inline constexpr MetricName attempts_total{"cronally_attempts_total", MetricKind::counter,
                                           "Attempts ended, by result."};  // result
inline constexpr MetricName attempt_duration{
    "cronally_attempt_duration_seconds", MetricKind::histogram,
    "From the first byte of a request to the end of its answer.", request_bounds};
inline constexpr MetricName claims_total{"cronally_claims_total", MetricKind::counter,
                                         "Occurrences claimed."};
inline constexpr MetricName skipped_total{"cronally_skipped_total", MetricKind::counter,
                                          "Occurrences skipped, by reason."};  // reason
inline constexpr MetricName commit_duration{"cronally_commit_seconds", MetricKind::histogram,
                                            "Duration of the writer's commits.", commit_bounds};
inline constexpr MetricName commit_unknown_total{
    "cronally_commit_unknown_total", MetricKind::counter,
    "Commits whose outcome was unknown and had to be settled."};
inline constexpr MetricName armed_runs{"cronally_armed_runs", MetricKind::gauge,
                                       "Claimed runs in memory, waiting for their instant."};
inline constexpr MetricName requests_in_flight{"cronally_requests_in_flight", MetricKind::gauge,
                                               "Requests to targets under way."};
inline constexpr MetricName jobs{"cronally_jobs", MetricKind::gauge, "Live jobs."};
inline constexpr MetricName shards_owned{"cronally_shards_owned", MetricKind::gauge,
                                         "Shards this node holds the lease of."};
inline constexpr MetricName journal_sync{"cronally_journal_sync_seconds", MetricKind::histogram,
                                         "Duration of the journal's writes and syncs.",
                                         commit_bounds};
inline constexpr MetricName journal_bytes{"cronally_journal_bytes", MetricKind::gauge,
                                          "Size of the journal's files."};
inline constexpr MetricName journal_failures_total{
    "cronally_journal_failures_total", MetricKind::counter,
    "Failed writes of the journal; nothing is claimed meanwhile."};
inline constexpr MetricName database_forgot_total{
    "cronally_database_forgot_total", MetricKind::counter,
    "Times the database was found put back in time, or on another server."};
inline constexpr MetricName put_back_total{
    "cronally_put_back_total", MetricKind::counter,
    "Runs of the journal compared with a database that forgot, by result."};  // result
inline constexpr MetricName node_info{"cronally_node_info", MetricKind::gauge,
                                      "Always 1; this process's node is its label."};  // node
inline constexpr MetricName leases_lost_total{
    "cronally_leases_lost_total", MetricKind::counter,
    "Shards whose lease this node lost; not those it handed over."};
inline constexpr MetricName heartbeat_age{
    "cronally_heartbeat_age_seconds", MetricKind::gauge,
    "Since the newest heartbeat that the database answered in time; 0 where there is one node."};
inline constexpr MetricName overdue{
    "cronally_overdue_seconds", MetricKind::gauge,
    "How far the most overdue work of all nodes is behind, as this node reads it in the database."};
inline constexpr MetricName http_requests_total{"cronally_http_requests_total", MetricKind::counter,
                                                "Requests answered, by status class."};  // status
inline constexpr MetricName loop_restarts_total{
    "cronally_loop_restarts_total", MetricKind::counter,
    "Supervised loops restarted after an outage, by loop."};  // loop
inline constexpr MetricName ready{"cronally_ready", MetricKind::gauge,
                                  "1 when every component is well, else 0."};
inline constexpr MetricName build_info{"cronally_build_info", MetricKind::gauge,
                                       "Always 1; the version is its label."};  // version

// Prometheus' own names for what every process has.
inline constexpr MetricName process_memory{"process_resident_memory_bytes", MetricKind::gauge,
                                           "Resident memory size in bytes."};
inline constexpr MetricName process_open_fds{"process_open_fds", MetricKind::gauge,
                                             "Number of open file descriptors."};
inline constexpr MetricName process_start_time{
    "process_start_time_seconds", MetricKind::gauge,
    "Start time of the process since the Unix epoch in seconds."};

}  // namespace metric
}  // namespace cronally::runtime
