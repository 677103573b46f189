// A journal of whatever bytes is read to its end, hides no whole block behind it unless a block in
// it goes on there, and what it tells means the same when it is written again. So does a block
// whose payload they are: by chance no checksum is right.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/uuid.h"
#include "core/journal.h"

using namespace cronally;

namespace {

std::vector<core::JournalRecord> records_of(const core::JournalReplay& replayed) {
  std::vector<core::JournalRecord> records{replayed.mark()};
  for (const auto& [id, known] : replayed.runs()) {
    core::JournalRun record{known.job, known.run, known.verdict, known.reason, {}};
    if (known.attempts.empty()) records.emplace_back(record);
    for (const auto& attempt : known.attempts) {
      record.attempt = attempt;
      records.emplace_back(record);
    }
  }
  return records;
}

// Whether a block begins in the bytes and does not end there: what follows may complete it.
bool goes_on(std::string_view bytes) {
  constexpr std::string_view magic = "CRJ1";
  constexpr std::size_t size_at = 4;
  constexpr std::size_t head_size = 12;
  for (auto at = bytes.find(magic); at != bytes.npos; at = bytes.find(magic, at + 1)) {
    const auto block = bytes.substr(at);
    std::uint32_t size = 0;
    if (block.size() < head_size) return true;
    std::memcpy(&size, block.data() + size_at, sizeof size);
    if (size > block.size() - head_size) return true;
  }
  return false;
}

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) {
    crc ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ (crc & 1U ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

std::string block_of(std::string_view payload) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string counted(sizeof size, '\0');
  std::memcpy(counted.data(), &size, sizeof size);
  const std::uint32_t checksum = crc32c(counted + std::string(payload));
  counted.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return "CRJ1" + counted + std::string(payload);
}

void means_the_same_again(const core::JournalReplay& replayed) {
  core::JournalReplay again;
  again.add(core::journal_block(records_of(replayed)));
  CHECK(again.damaged() == 0, "what was written is whole");
  CHECK(again.runs().size() == replayed.runs().size(), "each run comes back");
  for (const auto& [id, known] : replayed.runs()) {
    const auto& other = again.runs().at(id);
    CHECK(other.run.attempt == known.run.attempt && other.run.fence == known.run.fence &&
              other.run.due == known.run.due && other.attempts == known.attempts,
          "a run comes back as it was");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const RunId last{uuid_v4(1, 2)};
  core::JournalReplay replayed;
  replayed.add(std::string(bytes) + core::journal_block({core::JournalRun{.run = {.id = last}}}));
  CHECK(replayed.runs().contains(last) || goes_on(bytes), "a whole block behind anything is read");
  means_the_same_again(replayed);

  core::JournalReplay sealed;
  sealed.add(block_of(bytes));
  means_the_same_again(sealed);
  return 0;
}
