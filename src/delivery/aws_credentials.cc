#include "delivery/aws_credentials.h"

#include <pthread.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/random.h"

namespace cronally::delivery {

namespace log = runtime::log;
using namespace std::chrono_literals;

namespace {

constexpr Duration pause_max = 1min;
constexpr Duration refused_soon = 1min;
constexpr Duration idle_wait = 1h;

std::unexpected<Error> stopping() { return fail("stopping", "the server is stopping"); }

bool same(const core::AwsCredentials& a, const core::AwsCredentials& b) {
  return a.access_key_id == b.access_key_id &&
         a.secret_access_key.reveal() == b.secret_access_key.reveal() &&
         a.session_token.reveal() == b.session_token.reveal();
}

}  // namespace

Duration renewal_margin(Duration lifetime) { return std::min<Duration>(5min, lifetime / 4); }

Duration renewal_pause(int failures, double random) {
  const Duration whole = std::min<Duration>(1s * (1 << std::min(failures - 1, 10)), pause_max);
  return whole -
         Duration{static_cast<std::int64_t>(static_cast<double>(whole.count()) * random / 2)};
}

AwsCredentialsStore::AwsCredentialsStore(Fetch fetch, const runtime::Clock& clock)
    : fetch_(std::move(fetch)), clock_(clock) {
  fetches_ = std::jthread([this](const std::stop_token& stop) { run_fetches(stop); });
  answers_ = std::jthread([this](const std::stop_token& stop) { run_waits(stop); });
  pthread_setname_np(fetches_.native_handle(), "aws-fetch");
  pthread_setname_np(answers_.native_handle(), "aws-wait");
}

AwsCredentialsStore::~AwsCredentialsStore() { stop(); }

void AwsCredentialsStore::stop() {
  std::multimap<SteadyInstant, Then> left;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    left.swap(waits_);
  }
  for (auto& [until, then] : left) then(stopping());
  for (std::jthread* thread : {&answers_, &fetches_}) {
    thread->request_stop();
    if (thread->joinable()) thread->join();
  }
}

bool AwsCredentialsStore::holds(const Current& current) const {
  return !current.ends_at || clock_.steady() < *current.ends_at;
}

// Nobody needs to wait: there are credentials, or the last fetch failed and the next is not due.
bool AwsCredentialsStore::answer_known() const {
  return (current_ && holds(*current_)) || (error_ && !fetching_ && clock_.steady() < next_try_);
}

AwsCredentialsStore::Issue AwsCredentialsStore::find() {
  std::lock_guard lock(mutex_);
  return current_ && holds(*current_) ? current_->issue : nullptr;
}

void AwsCredentialsStore::wait(SteadyInstant until, Then then) {
  std::unique_lock lock(mutex_);
  if (stopped_) {
    lock.unlock();
    return then(stopping());
  }
  if (!answer_known()) {
    wanted_ = wanted_ || !fetching_;  // what is under way is for all
    waits_.emplace(until, std::move(then));
    fetch_wanted_.notify_one();
    waits_changed_.notify_one();
    return;
  }
  Result<Issue> answer =
      current_ && holds(*current_) ? Result<Issue>(current_->issue) : fail(*error_);
  lock.unlock();
  then(std::move(answer));
}

bool AwsCredentialsStore::refused(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  if (number < refused_number_) return true;
  if (number == refused_number_) return refused_at_once_;
  const SteadyInstant now = clock_.steady();
  refused_at_once_ = !refused_at_ || now - *refused_at_ >= refused_soon;
  refused_number_ = number;
  refused_at_ = now;
  if (!current_ || current_->issue->number != number) return refused_at_once_;
  log::warning("aws", "credentials were refused; others are looked for",
               {{"source", current_->source}});
  current_.reset();
  wanted_ = wanted_ || !fetching_;
  fetch_wanted_.notify_one();
  return refused_at_once_;
}

// ---- fetching ---------------------------------------------------------------------------------

bool AwsCredentialsStore::fetch_due() const {
  const SteadyInstant now = clock_.steady();
  if (now < next_try_) return false;
  return wanted_ || (current_ && now >= current_->renew_at);
}

Duration AwsCredentialsStore::fetch_in() const {
  const SteadyInstant now = clock_.steady();
  if (wanted_) return std::max<Duration>(next_try_ - now, 0us);
  if (current_) return std::max<Duration>(std::max(next_try_, current_->renew_at) - now, 0us);
  return idle_wait;
}

void AwsCredentialsStore::run_fetches(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (!fetch_due()) {
      fetch_wanted_.wait_for(lock, stop, clock_.sleep_for(fetch_in()),
                             [this] { return fetch_due(); });
      continue;
    }
    fetching_ = true;
    wanted_ = false;
    lock.unlock();
    fetch_once();
    lock.lock();
  }
}

void AwsCredentialsStore::fetch_once() {
  Result<FetchedCredentials> fetched = fetch_();
  std::lock_guard lock(mutex_);
  if (fetched)
    install(std::move(*fetched));
  else
    note_failure(std::move(fetched.error()));
  fetching_ = false;
  waits_changed_.notify_one();
}

void AwsCredentialsStore::install(FetchedCredentials&& fetched) {
  const Now now = clock_.now();
  const auto& expires_at = fetched.session.expires_at;
  const Duration lifetime = expires_at ? *expires_at - now.wall : Duration::zero();
  const bool of_instance = fetched.source == "instance";
  if (expires_at && lifetime <= Duration::zero() && !of_instance)
    return note_failure({"no_credentials", "no credentials for AWS: those of " + fetched.source +
                                               " have ended already"});
  const bool again = newest_ && same(newest_->credentials, fetched.session.credentials);
  if (!again)
    newest_ = std::make_shared<const AwsIssue>(std::move(fetched.session.credentials),
                                               newest_ ? newest_->number + 1 : 1);
  if (again && newest_->number == refused_number_) refused_at_once_ = false;
  current_ = Current{.issue = newest_,
                     .source = fetched.source,
                     .renew_at = now.steady + lasting_renewal,
                     .ends_at = std::nullopt};
  if (expires_at) {
    // However near the end is: not each moment.
    const Duration renewal_min = of_instance ? 1min : 1s;
    current_->renew_at = now.steady + std::max(lifetime - renewal_margin(lifetime), renewal_min);
    if (!of_instance) current_->ends_at = now.steady + lifetime;
  }
  failures_ = 0;
  error_.reset();
  next_try_ = {};
  if (!again)
    log::info("aws", "credentials are at hand",
              {{"source", fetched.source},
               {"ends", expires_at ? log::Value(*expires_at) : log::Value("never")}});
}

void AwsCredentialsStore::note_failure(Error error) {
  ++failures_;
  next_try_ = clock_.steady() + renewal_pause(failures_, runtime::random_unit());
  log::warning("aws", "credentials cannot be had",
               {{"error", error.message}, {"in_use", current_ ? "the old ones" : "none"}});
  error_ = std::move(error);
}

// ---- waiting ----------------------------------------------------------------------------------

void AwsCredentialsStore::run_waits(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const SteadyInstant now = clock_.steady();
    const bool known = answer_known();
    std::vector<std::pair<Then, Result<Issue>>> done;
    while (!waits_.empty() && (known || waits_.begin()->first <= now)) {
      Result<Issue> answer = fail("timed_out", "no credentials for AWS came in time");
      if (known && current_ && holds(*current_))
        answer = current_->issue;
      else if (known)
        answer = fail(*error_);
      done.emplace_back(std::move(waits_.begin()->second), std::move(answer));
      waits_.erase(waits_.begin());
    }
    if (!done.empty()) {
      lock.unlock();
      for (auto& [then, answer] : done) then(std::move(answer));
      lock.lock();
      continue;
    }
    const Duration until = waits_.empty() ? Duration{idle_wait} : waits_.begin()->first - now;
    const auto changed = [this, count = waits_.size()] {
      return waits_.size() != count || (count > 0 && answer_known());
    };
    waits_changed_.wait_for(lock, stop, clock_.sleep_for(until), changed);
  }
}

}  // namespace cronally::delivery
