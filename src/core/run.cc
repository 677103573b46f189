#include "core/run.h"

#include <array>
#include <span>
#include <utility>

namespace cronally::core {

namespace {

template <class T>
struct Word {
  T value;
  std::string_view text;
};

constexpr std::array kinds{Word{RunKind::scheduled, "scheduled"}, Word{RunKind::manual, "manual"},
                           Word{RunKind::once, "once"}, Word{RunKind::backfill, "backfill"},
                           Word{RunKind::retry, "retry"}};

constexpr std::array states{Word{RunState::requested, "requested"},
                            Word{RunState::claimed, "claimed"}, Word{RunState::begun, "begun"},
                            Word{RunState::ended, "ended"}};

constexpr std::array verdicts{Word{Verdict::succeeded, "succeeded"},
                              Word{Verdict::failed, "failed"}, Word{Verdict::unknown, "unknown"},
                              Word{Verdict::cancelled, "cancelled"},
                              Word{Verdict::skipped, "skipped"}};

constexpr std::array reasons{Word{Reason::none, "none"},
                             Word{Reason::exhausted, "exhausted"},
                             Word{Reason::too_old, "too_old"},
                             Word{Reason::gone, "gone"},
                             Word{Reason::expired, "expired"},
                             Word{Reason::fate_unknown, "fate_unknown"},
                             Word{Reason::unknown_attempts, "unknown_attempts"},
                             Word{Reason::changed, "changed"},
                             Word{Reason::deleted, "deleted"},
                             Word{Reason::drained, "drained"},
                             Word{Reason::catch_up_latest, "catch_up_latest"},
                             Word{Reason::catch_up_skip, "catch_up_skip"},
                             Word{Reason::catch_up_window, "catch_up_window"},
                             Word{Reason::catch_up_limit, "catch_up_limit"},
                             Word{Reason::restored, "restored"},
                             Word{Reason::refused, "refused"}};

template <class T, std::size_t n>
std::string_view text_in(const std::array<Word<T>, n>& words, T value) {
  return words[static_cast<std::size_t>(value)].text;
}

template <class T, std::size_t n>
std::optional<T> value_in(const std::array<Word<T>, n>& words, std::string_view text) {
  for (const auto& word : words) {
    if (word.text == text) return word.value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view text_of(RunKind kind) { return text_in(kinds, kind); }
std::string_view text_of(RunState state) { return text_in(states, state); }
std::string_view text_of(Verdict verdict) { return text_in(verdicts, verdict); }
std::string_view text_of(Reason reason) { return text_in(reasons, reason); }

std::optional<RunKind> run_kind_of(std::string_view text) { return value_in(kinds, text); }
std::optional<RunState> run_state_of(std::string_view text) { return value_in(states, text); }
std::optional<Verdict> verdict_of(std::string_view text) { return value_in(verdicts, text); }
std::optional<Reason> reason_of(std::string_view text) { return value_in(reasons, text); }

}  // namespace cronally::core
