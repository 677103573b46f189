// The shared files of AWS: any bytes are profiles or are refused with their line; what is taken and
// written plainly reads back; and a refusal repeats nothing of the file, which holds secrets.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "core/aws_config.h"

using namespace cronally;

namespace {

bool is_plain(std::string_view text) {
  constexpr std::string_view marks = "#;[]=\"'\n\r\t ";
  return std::ranges::none_of(text, [&](char c) { return marks.contains(c); });
}

// Of names and values without marks: others may be written in no way, or in several.
bool is_plain(const core::AwsProfiles& profiles) {
  return std::ranges::all_of(profiles, [](const auto& profile) {
    return is_plain(profile.first) && std::ranges::all_of(profile.second, [](const auto& setting) {
             return is_plain(setting.first) && is_plain(setting.second);
           });
  });
}

void check_file(std::string_view text, core::AwsFile kind) {
  const auto profiles = core::read_aws_file(text, kind);
  if (!profiles) {
    CHECK(profiles.error().code == "invalid_config", "a refusal has another code");
    const std::string& message = profiles.error().message;
    CHECK(message.starts_with("line ") && message.size() < 60, "a refusal tells too much");
    return;
  }
  for (const auto& [name, settings] : *profiles)
    for (const auto& [setting, value] : settings)
      CHECK(!name.empty() && !setting.empty() && !value.contains('\n'), "a setting is none");
  CHECK(core::merge_aws_files(*profiles, *profiles) == *profiles, "a file above itself changes");
  if (!is_plain(*profiles)) return;
  std::string again;
  for (const auto& [name, settings] : *profiles) {
    const bool prefixed = kind == core::AwsFile::config && name != "default";
    again += "[" + std::string(prefixed ? "profile " : "") + name + "]\n";
    for (const auto& [setting, value] : settings) again += setting + " = " + value + "\n";
  }
  CHECK(core::read_aws_file(again, kind) == profiles, "what is taken does not read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  check_file(input, core::AwsFile::config);
  check_file(input, core::AwsFile::credentials);
  return 0;
}
