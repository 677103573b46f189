#include "net/resolver.h"

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/supervise.h"

namespace cronally::net {

// Where names are left and answers picked up. It lives as long as the last lookup.
class Resolver::Desk : public std::enable_shared_from_this<Desk> {
 public:
  Desk(std::function<void()> wake, std::size_t lookups_max)
      : wake_(std::move(wake)), lookups_max_(lookups_max) {}

  void ask(const std::string& host) {
    std::lock_guard lock{mutex_};
    names_.push_back(host);
    if (working_ >= lookups_max_) return;
    if (runtime::spawn_apart("resolver", [desk = shared_from_this()] { desk->work(); })) {
      ++working_;
    } else if (working_ == 0) {  // nobody would come to it
      names_.pop_back();
      answers_.push_back({host, fail("no_address", "cannot resolve " + host +
                                                       ": no thread; raise the limit of tasks")});
      wake_();
    }
  }

  std::vector<Answer> take() {
    std::lock_guard lock{mutex_};
    return std::exchange(answers_, {});
  }

  void close() {
    std::lock_guard lock{mutex_};
    wake_ = nullptr;
    names_.clear();
  }

 private:
  void work() {
    while (const std::optional<std::string> host = next()) {
      Result<Addresses> addresses = look_up(*host);
      std::lock_guard lock{mutex_};
      if (!wake_) continue;
      answers_.push_back({*host, std::move(addresses)});
      wake_();
    }
  }

  // nullopt: nothing is left, and this thread ends.
  std::optional<std::string> next() {
    std::lock_guard lock{mutex_};
    if (names_.empty()) {
      --working_;
      return std::nullopt;
    }
    std::string host = std::move(names_.front());
    names_.pop_front();
    return host;
  }

  std::mutex mutex_;
  std::function<void()> wake_;  // empty once the resolver is gone
  const std::size_t lookups_max_;
  std::size_t working_ = 0;
  std::deque<std::string> names_;
  std::vector<Answer> answers_;
};

Resolver::Resolver(std::function<void()> wake, ResolverOptions options)
    : options_(options), desk_(std::make_shared<Desk>(std::move(wake), options.lookups_max)) {}

Resolver::~Resolver() { desk_->close(); }

Addresses Resolver::find(const std::string& host, SteadyInstant now) {
  const auto found = kept_.find(host);
  if (found != kept_.end() && now < found->second.until) return found->second.addresses;
  return literal_addresses(host);
}

void Resolver::ask(const std::string& host) {
  if (asked_.insert(host).second) desk_->ask(host);
}

std::vector<Resolver::Answer> Resolver::take(SteadyInstant now) {
  if (asked_.empty()) return {};
  std::vector<Answer> answers = desk_->take();
  for (const Answer& answer : answers) {
    asked_.erase(answer.host);
    if (answer.addresses) keep(answer, now);
  }
  return answers;
}

void Resolver::keep(const Answer& answer, SteadyInstant now) {
  if (kept_.size() >= options_.kept_max) {
    std::erase_if(kept_, [&](const auto& each) { return each.second.until <= now; });
  }
  if (kept_.size() >= options_.kept_max) kept_.clear();
  kept_[answer.host] = {*answer.addresses, now + options_.kept};
}

}  // namespace cronally::net
