// A store in memory for the tests of the API alone: a main account and some more (whose jobs share
// one space of names), no scheduler behind it, and acks
// and outages by the test's choice. The rules of a real store are shown by tests/conformance.
#pragma once

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/hmac.h"
#include "base/text.h"
#include "runtime/clock.h"
#include "runtime/deadline.h"
#include "store/database.h"

namespace cronally::api {

class FakeStore final : public store::Database,
                        store::Spine,
                        store::Jobs,
                        store::Ledger,
                        store::Accounts,
                        store::Notices,
                        store::Retention {
 public:
  explicit FakeStore(const runtime::Clock& clock) : clock_(clock) {}

  // ---- what tests turn ----
  bool seen = true;    // await_seen
  bool down = false;   // every verb throws
  int lost_races = 0;  // so many change_job calls lose to another edit
  int acks_awaited = 0;
  Duration ack_wait{};                       // how long the last await_seen would have waited
  std::optional<runtime::Deadline> find_by;  // the deadline of the last find_job
  int ledger_reads = 0;
  std::vector<core::Run> runs;     // oldest first
  std::uint64_t tick = 1;          // run_change_tick
  std::vector<core::Run> changed;  // what run_changes gives after a cursor
  std::map<SecretId, std::string> sealed;
  store::Account account_row;
  std::vector<store::Account> more_accounts;

  store::Spine& spine() override { return *this; }
  store::Jobs& jobs() override { return *this; }
  store::Ledger& ledger() override { return *this; }
  store::Accounts& accounts() override { return *this; }
  store::Notices& notices() override { return *this; }
  store::Retention& retention() override { return *this; }
  std::uint64_t run_change_tick() const override { return tick; }
  void backup(const std::string& to) override {
    require_up();
    std::ofstream(to) << "SQLite format 3";
  }
  std::string engine() const override { return "fake"; }

  // ---- Retention ----
  store::Pruned prune(const store::Keep&) override { return {}; }
  std::int64_t runs_kept() override { return static_cast<std::int64_t>(runs.size()); }

  // ---- Accounts ----
  bool bootstrap(const store::Account& account, const store::Token& token,
                 std::string_view digest) override {
    account_row = account;
    tokens_.push_back({token, std::string(digest)});
    return true;
  }
  std::optional<store::Principal> authenticate(std::string_view digest) override {
    require_up();
    for (const auto& [token, known] : tokens_)
      if (known == digest)
        return store::Principal{account_row.no, account_row.id, token.id, token.admin};
    return std::nullopt;
  }
  store::Account account(AccountNo no) override {
    return *found([&](const store::Account& one) { return one.no == no; });
  }
  std::optional<store::Account> find_account(ApiKey key) override {
    require_up();
    return found([&](const store::Account& one) { return one.api && one.api->key == key; });
  }
  std::optional<store::Account> find_account(AccountId id) override {
    return found([&](const store::Account& one) { return one.id == id; });
  }
  std::optional<store::Account> find_account(std::string_view email) override {
    return found([&](const store::Account& one) { return !email.empty() && one.email == email; });
  }
  Result<store::Account> create_account(const store::Account& account) override {
    require_up();
    if (find_account(account.email)) return fail("email_taken", "taken");
    more_accounts.push_back(account);
    more_accounts.back().no = AccountNo{static_cast<std::int64_t>(more_accounts.size()) + 1};
    return more_accounts.back();
  }
  Result<void> rotate_credentials(AccountNo no, const store::ApiCredentials& fresh) override {
    for (store::Account& one : more_accounts)
      if (one.no == no) one.api = fresh;
    if (account_row.no == no) account_row.api = fresh;
    return {};
  }
  std::int64_t job_count(AccountNo no) override {
    return std::ranges::count_if(jobs_, [&](const core::Job& job) { return job.account == no; });
  }
  std::vector<store::Account> all() override {
    std::vector<store::Account> every{account_row};
    every.insert(every.end(), more_accounts.begin(), more_accounts.end());
    return every;
  }
  void change_account(const store::Account& changed_row,
                      const std::vector<store::NewSecret>& secrets) override {
    account_row = changed_row;
    keep(secrets);
  }
  std::vector<store::Token> tokens(AccountNo) override {
    std::vector<store::Token> all;
    for (const auto& [token, digest] : tokens_) all.push_back(token);
    return all;
  }
  Result<store::Token> create_token(AccountNo, const store::Token& token,
                                    std::string_view digest) override {
    for (const auto& [other, known] : tokens_)
      if (other.name == token.name) return fail("name_taken", "taken");
    tokens_.push_back({token, std::string(digest)});
    tokens_.back().first.created_at = clock_.wall();
    return tokens_.back().first;
  }
  Result<void> revoke_token(AccountNo, TokenId id) override {
    int admins = 0;
    for (const auto& [token, digest] : tokens_) admins += token.admin ? 1 : 0;
    for (auto it = tokens_.begin(); it != tokens_.end(); ++it) {
      if (it->first.id != id) continue;
      if (it->first.admin && admins == 1) return fail("last_admin_token", "last");
      tokens_.erase(it);
      return {};
    }
    return fail("not_found", "none");
  }

  // ---- Jobs ----
  Result<store::Created> create_jobs(AccountNo account, std::vector<store::JobDraft> drafts,
                                     store::Existing existing,
                                     std::optional<store::Idempotency> idempotency) override {
    require_up();
    if (idempotency)
      if (const auto found = answers_.find(idempotency->key); found != answers_.end()) {
        if (found->second.first != idempotency->digest)
          return fail("idempotency_mismatch", "mismatch");
        return store::Replayed{found->second.second};
      }
    Error taken{"name_taken", "taken", {}};
    for (std::size_t i = 0; i < drafts.size(); ++i)
      if (existing == store::Existing::fail && live(drafts[i].definition.name))
        taken.fields.push_back({"/items/" + std::to_string(i) + "/name", "taken"});
    if (!taken.fields.empty()) return fail(std::move(taken));
    std::vector<core::Job> created;
    for (store::JobDraft& draft : drafts) {
      core::Job* job = live(draft.definition.name);
      if (!job) {
        job = &jobs_.emplace_back();
        job->id = draft.id;
        job->no = JobNo{static_cast<std::int64_t>(jobs_.size())};
        job->account = account;
        job->shard = shard_of(draft.id);
        job->created_at = clock_.wall();
      }
      write(*job, std::move(draft));
      created.push_back(*job);
    }
    if (idempotency)
      answers_[idempotency->key] = {idempotency->digest, idempotency->render(created)};
    return created;
  }
  Result<core::Job> change_job(AccountNo, store::JobDraft draft, Revision expected) override {
    core::Job* job = live(draft.id);
    if (!job) return fail("not_found", "none");
    if (lost_races > 0) {
      --lost_races;
      ++job->revision;
      return fail("revision_conflict", "lost");
    }
    if (job->revision != expected) return fail("revision_conflict", "lost");
    const core::Job* other = live(draft.definition.name);
    if (other && other->id != job->id) return fail("name_taken", "taken");
    write(*job, std::move(draft));
    return *job;
  }
  Result<core::Job> delete_job(AccountNo, JobId id, std::optional<Revision> expected) override {
    core::Job* job = live(id);
    if (!job) return fail("not_found", "none");
    if (expected && job->revision != *expected) return fail("revision_conflict", "lost");
    ++job->revision;
    const core::Job gone = *job;
    std::erase_if(jobs_, [&](const core::Job& other) { return other.id == id; });
    return gone;
  }
  bool await_seen(ShardNo, std::int64_t, Duration timeout) override {
    ++acks_awaited;
    ack_wait = timeout;
    return seen;
  }
  std::optional<core::Job> find_job(AccountNo account, JobId id) override {
    require_up();
    find_by = runtime::DeadlineScope::current();
    const core::Job* job = live(id);
    return job && job->account == account ? std::optional(*job) : std::nullopt;
  }
  std::optional<core::Job> find_job(AccountNo, std::string_view name) override {
    require_up();
    const core::Job* job = live(name);
    return job ? std::optional(*job) : std::nullopt;
  }
  Result<store::Page<core::Job>> list_jobs(AccountNo account,
                                           const store::JobFilter& filter) override {
    require_up();
    if (filter.cursor && filter.cursor != "second")
      return fail("invalid_cursor", "not a cursor of this list; start without one");
    store::Page<core::Job> page;
    const auto listed = [&](const core::Job& job) {
      const core::JobDefinition& definition = job.definition;
      return job.account == account &&
             definition.name.starts_with(filter.name_prefix.value_or("")) &&
             std::ranges::all_of(filter.labels, [&](const auto& label) {
               const auto found = definition.labels.find(label.first);
               return found != definition.labels.end() && found->second == label.second;
             });
    };
    for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job)
      if (listed(*job)) page.items.push_back(*job);
    if (page.items.size() > filter.limit) {
      page.items.resize(filter.limit);
      page.next_cursor = "second";
    }
    return page;
  }
  Result<core::Run> request_run(AccountNo, JobId id, core::RunKind kind, std::string key,
                                RunId run_id) override {
    const core::Job* job = live(id);
    if (!job) return fail("not_found", "none");
    for (const core::Run& run : runs)
      if (run.job == id && run.key == key) return run;
    core::Run run;
    run.id = run_id;
    run.job = id;
    run.job_name = job->definition.name;
    run.revision = job->revision;
    run.kind = kind;
    run.key = std::move(key);
    run.scheduled_at = run.due = clock_.wall();
    run.state = core::RunState::requested;
    runs.push_back(run);
    return run;
  }

  // ---- Ledger ----
  std::optional<core::Run> find_run(AccountNo, RunId id) override {
    for (const core::Run& run : runs)
      if (run.id == id) return run;
    return std::nullopt;
  }
  Result<store::Page<core::Run>> list_runs(AccountNo, const store::RunFilter& filter) override {
    ++ledger_reads;
    last_filter = filter;
    store::Page<core::Run> page;
    page.items.assign(runs.rbegin(), runs.rend());
    return page;
  }
  Result<store::Page<core::Run>> run_changes(AccountNo, std::optional<std::string> after,
                                             const store::RunFilter& filter) override {
    ++ledger_reads;
    last_filter = filter;
    if (after == "old") return fail("cursor_expired", "older than 10 minutes; start without after");
    store::Page<core::Run> page;
    if (after) page.items = changed;
    page.next_cursor = "c" + std::to_string(tick);
    return page;
  }
  std::vector<core::SkippedSpan> list_skipped(AccountNo, std::optional<JobId>,
                                              std::size_t) override {
    return {};
  }
  store::RunFilter last_filter;

  // ---- Spine: what the API reads of it ----
  std::vector<std::shared_ptr<const store::Deliverable>> read_deliverables(
      const std::vector<std::pair<JobNo, Revision>>& wanted) override {
    std::vector<std::shared_ptr<const store::Deliverable>> found;
    for (const auto& [no, revision] : wanted) {
      auto deliverable = std::make_shared<store::Deliverable>();
      for (const core::Job& job : jobs_)
        if (job.no == no)
          for (const core::StoredSecret& header : core::secrets_of(job.definition.target)) {
            deliverable->sealed_headers.emplace_back(header.name, sealed.at(header.secret));
            deliverable->sealed_ids.push_back(header.secret);
          }
      found.push_back(std::move(deliverable));
    }
    return found;
  }
  core::HeartbeatAnswer heartbeat(const core::Heartbeat&) override { return {}; }
  void release(NodeId, const core::Release&) override {}
  store::ShardsRead read_shards(const ShardSet&, const TakePlans&) override { return {}; }
  void submit(core::Batch, std::function<void(core::BatchFate)>) override {}
  std::vector<core::OpenRun> read_open_runs(const ShardSet&, Instant, std::size_t) override {
    return {};
  }
  store::Changes wait_for_changes(const std::vector<std::pair<ShardNo, std::int64_t>>&,
                                  Duration) override {
    return {};
  }
  void interrupt_waits() override {}
  std::vector<UncountedSpan> uncounted_spans(std::size_t) override { return {}; }
  void set_span_counts(const std::vector<std::pair<std::int64_t, std::int64_t>>&) override {}
  store::Behind behind() override { return {}; }

  // ---- Notices ----
  std::vector<store::NoticeBatch> open_batches(const std::function<RunId(Instant)>&) override {
    return {};
  }
  void settle(AccountNo, RunId) override {}
  void postpone(AccountNo, RunId, Instant) override {}

 private:
  template <class Match>
  std::optional<store::Account> found(Match match) {
    for (const store::Account& one : all())
      if (match(one)) return one;
    return std::nullopt;
  }
  void require_up() const {
    if (down) throw Unavailable("the database is down; it is tried again every second");
  }
  core::Job* live(JobId id) {
    for (core::Job& job : jobs_)
      if (job.id == id) return &job;
    return nullptr;
  }
  core::Job* live(std::string_view name) {
    for (core::Job& job : jobs_)
      if (job.definition.name == name) return &job;
    return nullptr;
  }
  void keep(const std::vector<store::NewSecret>& secrets) {
    for (const store::NewSecret& secret : secrets) sealed[secret.id] = secret.sealed;
  }
  void write(core::Job& job, store::JobDraft draft) {
    keep(draft.secrets);
    if (draft.v1_name)
      job.v1_name = draft.v1_name == draft.definition.name ? std::nullopt : draft.v1_name;
    else if (job.definition.name != draft.definition.name)
      job.v1_name.reset();
    if (job.revision > 0 && job.definition == draft.definition) return;
    const bool fresh = job.definition.schedule != draft.definition.schedule;
    job.definition = std::move(draft.definition);
    if (job.definition.anchor)
      job.anchor = *job.definition.anchor;
    else if (fresh)
      job.anchor = std::chrono::floor<std::chrono::milliseconds>(clock_.wall());
    job.updated_at = clock_.wall();
    job.change = ++changes_;
    ++job.revision;
  }

  const runtime::Clock& clock_;
  std::vector<std::pair<store::Token, std::string>> tokens_;
  std::vector<core::Job> jobs_;
  std::map<std::string, std::pair<std::string, std::string>> answers_;
  std::int64_t changes_ = 0;
};

}  // namespace cronally::api
