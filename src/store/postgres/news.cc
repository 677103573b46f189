#include "store/postgres/news.h"

#include <charconv>
#include <map>
#include <optional>

namespace cronally::store::postgres {

namespace {

std::string word(char kind, ShardNo shard, std::int64_t number) {
  return std::string(1, kind) + std::to_string(shard.value) + ':' + std::to_string(number) + ' ';
}

std::optional<std::pair<ShardNo, std::int64_t>> read_word(std::string_view word) {
  const char* end = word.data() + word.size();
  ShardNo shard;
  std::int64_t number = 0;
  const auto first = std::from_chars(word.data() + 1, end, shard.value);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != ':') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, number);
  if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
  if (shard.value < 0 || shard.value >= shard_count) return std::nullopt;
  return std::pair(shard, number);
}

}  // namespace

std::string write_news(const Effects& effects, const Bell& bell) {
  std::map<ShardNo, std::int64_t> changes;
  for (const auto& [shard, change] : effects.changes) {
    changes[shard] = std::max(changes[shard], change);
  }
  std::map<ShardNo, std::int64_t> seen;
  for (const auto& [shard, change] : effects.seen) seen[shard] = std::max(seen[shard], change);
  std::string news;
  for (const auto& [shard, change] : changes) news += word('c', shard, change);
  for (const auto& [shard, change] : seen) {
    if (change > bell.seen(shard)) news += word('s', shard, change);
  }
  if (effects.requested) news += "r ";
  return news;
}

Effects read_news(std::string_view news) {
  Effects effects;
  while (!news.empty()) {
    const auto end = news.find(' ');
    const auto word = news.substr(0, end);
    news.remove_prefix(end == std::string_view::npos ? news.size() : end + 1);
    if (word == "r") effects.requested = true;
    if (word.size() < 4) continue;
    const auto read = read_word(word);
    if (read && word.front() == 'c') effects.changes.push_back(*read);
    if (read && word.front() == 's') effects.seen.push_back(*read);
  }
  return effects;
}

}  // namespace cronally::store::postgres
