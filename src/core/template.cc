#include "core/template.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "base/json_text.h"
#include "base/percent.h"
#include "base/text.h"

namespace cronally::core {
namespace {

struct Placeholder {
  std::string_view name;
  std::string TemplateValues::* value;
};

constexpr std::array<Placeholder, 5> placeholders{{
    {"run.id", &TemplateValues::run_id},
    {"job.id", &TemplateValues::job_id},
    {"job.name", &TemplateValues::job_name},
    {"scheduled_at", &TemplateValues::scheduled_at},
    {"attempt", &TemplateValues::attempt},
}};
constexpr std::array<std::string_view, 5> names{"run.id", "job.id", "job.name", "scheduled_at",
                                                "attempt"};

// A {{…}} of the text: where it begins, where it ends, what stands inside without blanks.
struct Found {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view name;
};

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The next one from `at` on. In "{{{{run.id}}" the last two braces open it.
std::optional<Found> next_placeholder(std::string_view text, std::size_t at) {
  for (;;) {
    std::size_t open = text.find("{{", at);
    if (open == std::string_view::npos) return std::nullopt;
    while (text.substr(open + 1).starts_with("{{")) ++open;
    const std::size_t stop = text.find_first_of("{}\r\n", open + 2);
    if (stop == std::string_view::npos) return std::nullopt;
    if (text.substr(stop).starts_with("}}")) {
      return Found{open, stop + 2, trim(text.substr(open + 2, stop - open - 2))};
    }
    at = stop;
  }
}

const Placeholder* placeholder_of(std::string_view name) {
  for (const Placeholder& placeholder : placeholders) {
    if (placeholder.name == name) return &placeholder;
  }
  return nullptr;
}

std::string header_safe(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += percent_encode({&c, 1});
    }
  }
  return out;
}

std::string escaped(std::string_view value, Place place) {
  switch (place) {
    case Place::url:
    case Place::form: return percent_encode(value);
    case Place::json: return json_escape(value);
    case Place::header: return header_safe(value);
    case Place::text: return std::string{value};
  }
  return {};
}

}  // namespace

Result<void> check_placeholders(std::string_view text) {
  std::size_t at = 0;
  while (const auto found = next_placeholder(text, at)) {
    if (placeholder_of(found->name) == nullptr) {
      return fail("unknown_placeholder",
                  fmt::format("no placeholder named {{{{{}}}}}{}; there are {}", found->name,
                              did_you_mean(found->name, names), fmt::join(names, ", ")));
    }
    at = found->end;
  }
  return {};
}

std::string render(std::string_view text, const TemplateValues& values, Place place) {
  std::string out;
  std::size_t at = 0;
  while (const auto found = next_placeholder(text, at)) {
    out += text.substr(at, found->begin - at);
    const Placeholder* placeholder = placeholder_of(found->name);
    out += placeholder == nullptr
               ? std::string{text.substr(found->begin, found->end - found->begin)}
               : escaped(values.*placeholder->value, place);
    at = found->end;
  }
  out += text.substr(at);
  return out;
}

}  // namespace cronally::core
