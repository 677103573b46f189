#include "core/v1_signature.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hmac.h"

namespace cronally::core {
namespace {

constexpr std::size_t mac_bytes = 32;
constexpr std::size_t date_chars = 12;

Sha256 mac_of(const V1Key& key, std::string_view path, std::string_view method,
              std::string_view date) {
  std::string message(path);
  message.append(method).append(date);
  return hmac_sha256(key.reveal(), message);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<std::string> hex_decode(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

// Clients written from the first edition of the 2015 document, which named no encoding, send hex.
std::optional<std::string> mac_in(std::string_view signature) {
  std::optional<std::string> mac =
      signature.size() == 2 * mac_bytes ? hex_decode(signature) : base64_decode(signature);
  if (mac && mac->size() != mac_bytes) return std::nullopt;
  return mac;
}

std::string with_slash_toggled(std::string_view path) {
  if (!path.ends_with('/')) return std::string(path) + "/";
  return std::string(path.substr(0, path.size() - 1));
}

unsigned digits(std::string_view text) {
  unsigned number = 0;
  for (const char c : text) number = number * 10 + static_cast<unsigned>(c - '0');
  return number;
}

}  // namespace

std::optional<V1Key> parse_v1_secret(std::string_view secret) {
  std::optional<std::string> bytes = base64_decode(secret);
  if (!bytes || bytes->empty()) return std::nullopt;
  return V1Key(std::move(*bytes));
}

std::string sign_v1(const V1Key& key, std::string_view path, std::string_view method,
                    std::string_view date) {
  return base64(as_bytes(mac_of(key, path, method, date)));
}

std::vector<std::string> v1_paths(std::string_view path, std::string_view base_path) {
  std::vector<std::string> paths{std::string(path)};
  if (!base_path.empty()) {
    const std::string base(base_path);
    if (path.starts_with(base + "/"))
      paths.emplace_back(path.substr(base.size()));
    else
      paths.push_back(base + std::string(path));
  }
  for (std::size_t i = paths.size(); i-- > 0;) paths.push_back(with_slash_toggled(paths[i]));
  return paths;
}

bool verify_v1(const V1Key& key, std::string_view signature, const std::vector<std::string>& paths,
               std::string_view method, std::string_view date) {
  const std::optional<std::string> given = mac_in(signature);
  const std::string mac = given.value_or(std::string(mac_bytes, '\0'));
  bool right = false;
  for (const std::string& path : paths) {
    const bool same = equal_constant_time(as_bytes(mac_of(key, path, method, date)), mac);
    right = right | same;
  }
  return right & given.has_value();
}

std::optional<Instant> parse_v1_date(std::string_view text) {
  const bool shaped = text.size() == date_chars &&
                      std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!shaped) return std::nullopt;
  const std::chrono::year_month_day day{
      std::chrono::year{static_cast<int>(digits(text.substr(0, 4)))},
      std::chrono::month{digits(text.substr(4, 2))}, std::chrono::day{digits(text.substr(6, 2))}};
  const unsigned hour = digits(text.substr(8, 2));
  const unsigned minute = digits(text.substr(10, 2));
  if (!day.ok() || hour > 23 || minute > 59) return std::nullopt;
  return Instant{std::chrono::sys_days{day}} + std::chrono::hours{hour} +
         std::chrono::minutes{minute};
}

std::string format_v1_date(Instant at) {
  const auto days = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day day{days};
  const auto minutes = std::chrono::floor<std::chrono::minutes>(at - days).count();
  return fmt::format("{:04}{:02}{:02}{:02}{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                     minutes / 60, minutes % 60);
}

bool is_v1_date_current(Instant date, Instant now, Duration window) {
  const Duration apart = date - std::chrono::floor<std::chrono::minutes>(now);
  return apart <= window && -apart <= window;
}

}  // namespace cronally::core
