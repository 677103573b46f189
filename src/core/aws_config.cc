#include "core/aws_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace cronally::core {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::string_view trim(std::string_view text) {
  const std::size_t from = text.find_first_not_of(blanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

std::string_view without_remark(std::string_view text) {
  for (std::size_t at = 1; at < text.size(); ++at)
    if ((text[at] == '#' || text[at] == ';') && (text[at - 1] == ' ' || text[at - 1] == '\t'))
      return trim(text.substr(0, at));
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string_view unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.front() == text.back();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// The profile of "[profile build]"; nullopt: a section of another kind.
std::optional<std::string> profile_of(std::string_view inside, AwsFile kind) {
  inside = trim(inside);
  constexpr std::string_view word = "profile";
  const bool prefixed = inside.size() > word.size() && inside.starts_with(word) &&
                        blanks.contains(inside[word.size()]);
  if (kind == AwsFile::credentials || inside == "default") return std::string(unquoted(inside));
  if (!prefixed) return std::nullopt;
  return std::string(unquoted(trim(inside.substr(word.size()))));
}

class Reader {
 public:
  explicit Reader(AwsFile kind) : kind_(kind) {}

  Result<AwsProfiles> read(std::string_view text) {
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    while (!text.empty()) {
      ++number_;
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (auto fault = line(text.substr(0, end)))
        return fail("invalid_config", fmt::format("line {} {}", number_, *fault));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(profiles_);
  }

 private:
  // What is wrong with it.
  std::optional<std::string> line(std::string_view text) {
    const bool deeper = text.starts_with(' ') || text.starts_with('\t');
    text = trim(text);
    if (text.empty() || text.starts_with('#') || text.starts_with(';')) return std::nullopt;
    if (text.starts_with('[')) return section(text);
    if (deeper && in_setting_) return std::nullopt;
    if (!in_section_) return "stands before the first [section]";
    return setting(text);
  }

  std::optional<std::string> section(std::string_view text) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return "begins a section and lacks its ]";
    in_section_ = true;
    in_setting_ = false;
    const auto name = profile_of(text.substr(1, end - 1), kind_);
    profile_ = name && !name->empty() ? &profiles_[*name] : nullptr;
    return std::nullopt;
  }

  std::optional<std::string> setting(std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::string_view name = trim(text.substr(0, equals));
    if (equals == std::string_view::npos || name.empty())
      return "is neither [section] nor NAME = VALUE";
    in_setting_ = true;
    if (profile_) (*profile_)[lower(name)] = without_remark(trim(text.substr(equals + 1)));
    return std::nullopt;
  }

  const AwsFile kind_;
  AwsProfiles profiles_;
  AwsProfile* profile_ = nullptr;
  std::size_t number_ = 0;
  bool in_section_ = false;
  bool in_setting_ = false;
};

}  // namespace

Result<AwsProfiles> read_aws_file(std::string_view text, AwsFile kind) {
  return Reader(kind).read(text);
}

AwsProfiles merge_aws_files(AwsProfiles config, const AwsProfiles& credentials) {
  for (const auto& [name, settings] : credentials)
    for (const auto& [setting, value] : settings) config[name][setting] = value;
  return config;
}

}  // namespace cronally::core
