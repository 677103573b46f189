#include "core/email.h"

#include <algorithm>

namespace cronally::core {
namespace {

constexpr std::size_t email_chars_max = 254;
constexpr std::size_t label_chars_max = 63;

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= label_chars_max && is_alnum(label.front()) &&
         is_alnum(label.back()) &&
         std::ranges::all_of(label, [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_host(std::string_view host) {
  while (true) {
    const std::size_t dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == host.npos) return true;
    host.remove_prefix(dot + 1);
  }
}

}  // namespace

bool is_email(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == text.npos || at == 0 || text.size() > email_chars_max) return false;
  const bool local = std::ranges::all_of(text.substr(0, at), [](char c) {
    return is_alnum(c) || std::string_view(".!#$%&'*+/=?^_`{|}~-").contains(c);
  });
  return local && is_host(text.substr(at + 1));
}

}  // namespace cronally::core
