#include "runtime/zone_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/text.h"
#include "runtime/test_directory.h"

namespace cronally::runtime {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* system_directory = "/usr/share/zoneinfo";

int offset_at(const cctz::time_zone& zone, const char* instant) {
  return zone.lookup(std::chrono::time_point_cast<cctz::seconds>(*parse_instant(instant))).offset;
}

void write(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream{path, std::ios::binary} << bytes;
}

void copy_zone(const char* from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy_file(fs::path{system_directory} / from, to, fs::copy_options::overwrite_existing);
}

TEST(ZoneLoader, LoadsAZoneByItsName) {
  ZoneLoader loader;
  const auto riga = loader.load("Europe/Riga");
  ASSERT_TRUE(riga) << riga.error().message;
  EXPECT_EQ(offset_at(*riga, "2026-01-01T00:00:00Z"), 7200);
  EXPECT_EQ(offset_at(*riga, "2026-07-01T00:00:00Z"), 10800);
  EXPECT_EQ(offset_at(*riga, "2090-07-01T00:00:00Z"), 10800);  // beyond the file's table
  EXPECT_EQ(zone_name(*riga), "Europe/Riga");
  EXPECT_EQ(*loader.load("Europe/Riga"), *riga);
}

TEST(ZoneLoader, ThreePartNamesAndSignsAreNames) {
  ZoneLoader loader;
  for (const char* name : {"America/Argentina/Buenos_Aires", "Etc/GMT+5", "Etc/GMT-14",
                           "America/Port-au-Prince", "EST5EDT", "Etc/UTC"}) {
    const auto zone = loader.load(name);
    ASSERT_TRUE(zone) << name;
    EXPECT_EQ(zone_name(*zone), name);
  }
}

TEST(ZoneLoader, UtcNeedsNoTzdata) {
  ZoneLoader loader{"/nonexistent"};
  const auto utc = loader.load("UTC");
  ASSERT_TRUE(utc);
  EXPECT_EQ(zone_name(*utc), "UTC");
  EXPECT_EQ(offset_at(*utc, "2026-07-01T00:00:00Z"), 0);
  EXPECT_EQ(loader.tzdata_version(), "unknown");
  EXPECT_THAT(loader.names(), testing::ElementsAre("UTC"));
}

TEST(ZoneLoader, MissingTzdataIsNotTheUsersFault) {
  const auto zone = ZoneLoader{"/nonexistent"}.load("Europe/Riga");
  ASSERT_FALSE(zone);
  EXPECT_EQ(zone.error().code, "tzdata_unreadable");
  EXPECT_THAT(zone.error().message, HasSubstr("install the package tzdata"));
}

struct Refused {
  std::string name;
  const char* part;  // of the message
};

TEST(ZoneLoader, RefusesUnknownNamesWithANearMatch) {
  ZoneLoader loader;
  const Refused rows[] = {
      // mistyped
      {"Europe/Rigga", "did you mean 'Europe/Riga'?"},
      {"europe/riga", "did you mean 'Europe/Riga'?"},
      {"America/New York", "did you mean 'America/New_York'?"},
      // the city alone
      {"Riga", "did you mean 'Europe/Riga'?"},
      {"new york", "did you mean 'America/New_York'?"},
      {"utc", "did you mean 'UTC'?"},
      // nothing near
      {"Middle-earth/Hobbiton", "IANA names such as"},
      {"", "''"},
      // the host's zone, whatever it is called
      {"localtime", ""},
      {"posixrules", ""},
      {"Factory", ""},
      // paths
      {"/usr/share/zoneinfo/Europe/Riga", ""},
      {"../zoneinfo/Europe/Riga", ""},
      {"Europe/../Europe/Riga", ""},
      {"Europe//Riga", ""},
      {"Europe/Riga/", ""},
      {"/Europe/Riga", ""},
      {"Europe", ""},
      {".", ""},
      // files there that are no zones
      {"tzdata.zi", ""},
      {"zone1970.tab", ""},
      // trees with leap seconds, and their double
      {"right/Europe/Riga", ""},
      {"posix/Europe/Riga", ""},
      // cctz's own names, and characters of its keys
      {"libc:localtime", ""},
      {"Fixed/UTC+01:00:00", ""},
      {"Europe/Riga\x1fX", "\\x1F"},
      {std::string{"Europe/Riga\0", 12}, "\\x00"},
      {std::string(10000, 'A'), "..."},
  };
  for (const auto& row : rows) {
    const auto zone = loader.load(row.name);
    ASSERT_FALSE(zone) << row.name;
    EXPECT_EQ(zone.error().code, "invalid_zone") << row.name;
    EXPECT_THAT(zone.error().message, HasSubstr(row.part));
    EXPECT_THAT(zone.error().message, HasSubstr("not a time zone of tzdata"));
  }
}

TEST(ZoneLoader, ListsEveryNameThatLoads) {
  ZoneLoader loader;
  const auto names = loader.names();
  EXPECT_GT(names.size(), 400U);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_THAT(names, testing::IsSupersetOf({"UTC", "Europe/Riga", "America/New_York"}));
  for (const auto& name : names) {
    const auto zone = loader.load(name);
    ASSERT_TRUE(zone) << name;
    EXPECT_EQ(zone_name(*zone), name);
  }
}

TEST(ZoneLoader, TellsTheVersionOfTzdata) {
  const TestDirectory directory;
  ZoneLoader loader{directory.path()};
  EXPECT_EQ(loader.tzdata_version(), "unknown");
  write(directory / "tzdata.zi", "# version 2025b\n# This zic input file\n");
  EXPECT_EQ(loader.tzdata_version(), "2025b");
  write(directory / "tzdata.zi", "# version 20\x1f\n");
  EXPECT_EQ(loader.tzdata_version(), "unknown");
  write(directory / "tzdata.zi", "R A 2000 o\n");
  EXPECT_EQ(loader.tzdata_version(), "unknown");
}

TEST(ZoneLoader, SeesAnUpdateOfTzdata) {
  const TestDirectory directory;
  write(directory / "tzdata.zi", "# version 2025a\n");
  copy_zone("Europe/Riga", directory / "Test/Town");
  ZoneLoader loader{directory.path()};
  const auto before = loader.load("Test/Town");
  EXPECT_EQ(offset_at(*before, "2026-01-01T00:00:00Z"), 7200);
  EXPECT_FALSE(loader.load("Test/City"));

  copy_zone("Asia/Tokyo", directory / "Test/Town");
  copy_zone("Asia/Tokyo", directory / "Test/City");
  write(directory / "tzdata.zi", "# version 2025b\n");
  const auto after = loader.load("Test/Town");
  EXPECT_EQ(offset_at(*after, "2026-01-01T00:00:00Z"), 32400);
  EXPECT_EQ(zone_name(*after), "Test/Town");
  EXPECT_TRUE(loader.load("Test/City"));
  EXPECT_THAT(loader.names(), testing::ElementsAre("Test/City", "Test/Town", "UTC"));
  // What was loaded before stays as it was.
  EXPECT_EQ(offset_at(*before, "2026-01-01T00:00:00Z"), 7200);
}

TEST(ZoneLoader, SeesAChangedFileWithoutAVersion) {
  const TestDirectory directory;
  copy_zone("Europe/Riga", directory / "Town");
  ZoneLoader loader{directory.path()};
  EXPECT_EQ(offset_at(*loader.load("Town"), "2026-01-01T00:00:00Z"), 7200);
  copy_zone("Asia/Tokyo", directory / "Town");
  fs::last_write_time(directory / "Town", fs::file_time_type::clock::now() + std::chrono::hours{1});
  EXPECT_EQ(offset_at(*loader.load("Town"), "2026-01-01T00:00:00Z"), 32400);
}

TEST(ZoneLoader, AZoneThatIsTakenAwayIsUnknownAgain) {
  const TestDirectory directory;
  copy_zone("Europe/Riga", directory / "Town");
  ZoneLoader loader{directory.path()};
  EXPECT_TRUE(loader.load("Town"));
  fs::remove(directory / "Town");
  EXPECT_EQ(loader.load("Town").error().code, "invalid_zone");
}

TEST(ZoneLoader, CountsTheFilesThatWereReplacedUnderIt) {
  const TestDirectory directory;
  ZoneLoader loader{directory.path()};
  const auto load = [&](const char* name) { return loader.load(name).has_value(); };
  copy_zone("Europe/Riga", directory / "Town");
  copy_zone("Europe/Riga", directory / "City");
  ASSERT_TRUE(load("Town") && load("City"));
  EXPECT_EQ(loader.replaced(), 0U);
  copy_zone("Asia/Tokyo", directory / "Town");
  EXPECT_EQ(loader.replaced(), 1U) << "seen by looking";
  EXPECT_EQ(loader.replaced(), 1U) << "and once";
  ASSERT_TRUE(load("Town"));
  copy_zone("Europe/Riga", directory / "Town");
  ASSERT_TRUE(load("Town"));
  EXPECT_EQ(loader.replaced(), 2U) << "seen by whoever loads it first";
  fs::remove(directory / "City");
  EXPECT_EQ(loader.replaced(), 3U) << "gone counts, too";
}

TEST(ZoneLoader, TwoDirectoriesDoNotMix) {
  const TestDirectory one, two;
  copy_zone("Europe/Riga", one / "Town");
  copy_zone("Asia/Tokyo", two / "Town");
  EXPECT_EQ(offset_at(*ZoneLoader{one.path()}.load("Town"), "2026-01-01T00:00:00Z"), 7200);
  EXPECT_EQ(offset_at(*ZoneLoader{two.path()}.load("Town"), "2026-01-01T00:00:00Z"), 32400);
}

TEST(ZoneLoader, ADamagedFileIsTheOperatorsMatter) {
  const TestDirectory directory;
  std::ifstream in{fs::path{system_directory} / "Europe/Riga", std::ios::binary};
  const std::string whole{std::istreambuf_iterator<char>{in}, {}};
  write(directory / "Short", whole.substr(0, 40));
  write(directory / "Magic", "TZif");
  ZoneLoader loader{directory.path()};
  for (const char* name : {"Short", "Magic"}) {
    const auto zone = loader.load(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.error().code, "tzdata_unreadable");
  }
}

TEST(ZoneLoader, MayBeUsedFromManyThreads) {
  ZoneLoader loader;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (const char* name : {"Europe/Riga", "Asia/Tokyo", "Nowhere", "America/Lima"}) {
        EXPECT_EQ(loader.load(name).has_value(), std::string_view{name} != "Nowhere");
      }
    });
  }
}

}  // namespace
}  // namespace cronally::runtime
