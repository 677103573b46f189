#include "runtime/zone_loader.h"

#include <cctz/zone_info_source.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

#include "base/text.h"
#include "runtime/files.h"

namespace cronally::runtime {
namespace {

namespace fs = std::filesystem;

// Between the parts of the name under which cctz keeps a zone: version, identity of the file,
// directory and plain name. No name or path that is loaded holds this control character.
constexpr char separator = '\x1f';
constexpr std::string_view key_start = "cronally\x1f";

// The largest zone files have a few kilobytes; anything beyond this is not one.
constexpr std::size_t zone_file_size_max = 1 << 20;

std::string_view last_part(std::string_view key) { return key.substr(key.rfind(separator) + 1); }

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '+' || c == '/';
}

// No dots are allowed at all, so that ".." cannot be written.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 100 || name.front() == '/' || name.back() == '/') return false;
  if (!std::all_of(name.begin(), name.end(), is_name_character)) return false;
  if (name.find("//") != std::string_view::npos) return false;
  if (name.starts_with("right/") || name.starts_with("posix/")) return false;
  return name != "localtime" && name != "posixrules" && name != "Factory";
}

bool has_tzif_magic(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  char magic[4] = {};
  in.read(magic, sizeof magic);
  return in.gcount() == 4 && std::memcmp(magic, "TZif", 4) == 0;  // RFC 8536 §3.1
}

// Differs when another file, or another content, has taken the place; nullopt when there is none.
std::optional<std::string> identity_of(const fs::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return fmt::format("{}.{:09}-{}-{}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                     status.st_size, status.st_ino);
}

// A zone's file in memory, as cctz wants to read it.
class ZoneBytes final : public cctz::ZoneInfoSource {
 public:
  ZoneBytes(std::string bytes, std::string version)
      : bytes_(std::move(bytes)), version_(std::move(version)) {}

  std::size_t Read(void* out, std::size_t size) override {
    const std::size_t count = std::min(size, bytes_.size() - at_);
    std::memcpy(out, bytes_.data() + at_, count);
    at_ += count;
    return count;
  }
  int Skip(std::size_t offset) override {
    if (offset > bytes_.size() - at_) return -1;
    at_ += offset;
    return 0;
  }
  std::string Version() const override { return version_; }

 private:
  std::string bytes_;
  std::string version_;
  std::size_t at_ = 0;
};

std::unique_ptr<cctz::ZoneInfoSource> open_zone(
    const std::string& key,
    const std::function<std::unique_ptr<cctz::ZoneInfoSource>(const std::string&)>& fallback) {
  if (!key.starts_with(key_start)) return fallback(key);
  const std::string_view parts = std::string_view{key}.substr(key_start.size());
  const std::size_t version_end = parts.find(separator);
  const std::size_t identity_end = parts.find(separator, version_end + 1);
  const std::size_t directory_end = parts.rfind(separator);
  const fs::path directory{parts.substr(identity_end + 1, directory_end - identity_end - 1)};
  auto bytes = read_file(directory / last_part(key), zone_file_size_max);
  if (!bytes) return nullptr;
  return std::make_unique<ZoneBytes>(std::move(*bytes), std::string{parts.substr(0, version_end)});
}

// The same but for case, and for blanks in place of underscores.
bool is_spelling_of(std::string_view word, std::string_view name) {
  const auto letter = [](char c) {
    if (c == ' ') return '_';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  return std::ranges::equal(word, name, {}, letter, letter);
}

fs::path default_directory() {
  const char* directory = std::getenv("TZDIR");
  if (directory != nullptr && directory[0] != '\0') return directory;
  return "/usr/share/zoneinfo";
}

}  // namespace

ZoneLoader::ZoneLoader() : ZoneLoader(default_directory()) {}
ZoneLoader::ZoneLoader(fs::path directory) : directory_(std::move(directory)) {}

Result<cctz::time_zone> ZoneLoader::load(std::string_view name) {
  if (name == "UTC") return cctz::utc_time_zone();
  const auto identity = is_zone_name(name) ? identity_of(directory_ / name) : std::nullopt;
  if (identity) {
    std::lock_guard lock{mutex_};
    const auto it = loaded_.find(name);
    if (it != loaded_.end() && it->second.file == *identity) return it->second.zone;
  }
  std::error_code none;
  if (!fs::is_directory(directory_, none)) {
    return fail("tzdata_unreadable",
                fmt::format("there are no time zones in {}; install the package tzdata, or set "
                            "TZDIR",
                            directory_.string()));
  }
  if (!identity || !has_tzif_magic(directory_ / name)) return fail(unknown_zone(name));
  auto zone = load_file(name, *identity);
  if (!zone) return zone;
  std::lock_guard lock{mutex_};
  const auto [known, fresh] = loaded_.try_emplace(std::string{name}, Loaded{*identity, *zone});
  if (!fresh && known->second.file != *identity) {
    known->second = {*identity, *zone};
    ++replaced_;
  }
  return zone;
}

Result<cctz::time_zone> ZoneLoader::load_file(std::string_view name,
                                              const std::string& identity) const {
  const std::string key = fmt::format("{}{}{}{}{}{}{}{}", key_start, tzdata_version(), separator,
                                      identity, separator, directory_.string(), separator, name);
  cctz::time_zone zone;
  if (!cctz::load_time_zone(key, &zone)) {
    return fail("tzdata_unreadable", fmt::format("{} is not a readable time zone file; reinstall "
                                                 "the package tzdata",
                                                 (directory_ / name).string()));
  }
  return zone;
}

std::string ZoneLoader::tzdata_version() const {
  std::ifstream in{directory_ / "tzdata.zi"};
  std::string line;
  constexpr std::string_view start = "# version ";
  if (!std::getline(in, line) || !line.starts_with(start)) return "unknown";
  const std::string version = line.substr(start.size());
  const bool plain = std::ranges::all_of(version, is_name_character);
  return plain && !version.empty() && version.size() <= 20 ? version : "unknown";
}

std::uint64_t ZoneLoader::replaced() {
  std::lock_guard lock{mutex_};
  replaced_ += std::erase_if(loaded_, [&](const auto& zone) {
    return identity_of(directory_ / zone.first) != zone.second.file;
  });
  return replaced_;
}

std::vector<std::string> ZoneLoader::names() const {
  const std::string version = tzdata_version();
  std::lock_guard lock{mutex_};
  if (!names_.empty() && names_version_ == version) return names_;
  std::vector<std::string> found{"UTC"};
  std::error_code error;
  fs::recursive_directory_iterator it{directory_, error};
  for (; !error && it != fs::recursive_directory_iterator{}; it.increment(error)) {
    std::string name = it->path().lexically_relative(directory_).string();
    if (it->is_directory(error) && (name == "right" || name == "posix")) {
      it.disable_recursion_pending();
    } else if (name != "UTC" && is_zone_name(name) && it->is_regular_file(error) &&
               has_tzif_magic(it->path())) {
      found.push_back(std::move(name));
    }
  }
  std::ranges::sort(found);
  names_ = std::move(found);
  names_version_ = version;
  return names_;
}

Error ZoneLoader::unknown_zone(std::string_view name) const {
  const auto all = names();
  const std::vector<std::string_view> candidates{all.begin(), all.end()};
  // The whole name comes before the city alone: "utc" is UTC rather than Etc/UTC.
  auto match = std::ranges::find_if(
      candidates, [&](std::string_view zone) { return is_spelling_of(name, zone); });
  if (match == candidates.end()) {
    match = std::ranges::find_if(candidates, [&](std::string_view zone) {
      return is_spelling_of(name, zone.substr(zone.rfind('/') + 1));
    });
  }
  std::string hint = match != candidates.end() ? fmt::format("; did you mean '{}'?", *match)
                                               : did_you_mean(name, candidates);
  if (hint.empty()) hint = "; zones have IANA names such as Europe/Riga or UTC";
  return Error{"invalid_zone", fmt::format("{} is not a time zone of tzdata {}{}", quote(name),
                                           tzdata_version(), hint)};
}

std::string zone_name(const cctz::time_zone& zone) {
  const std::string name = zone.name();
  return name.starts_with(key_start) ? std::string{last_part(name)} : name;
}

}  // namespace cronally::runtime

// cctz's hook: it finds this definition by name, in place of its own weak one.
namespace cctz_extension {
ZoneInfoSourceFactory zone_info_source_factory = cronally::runtime::open_zone;
}  // namespace cctz_extension
