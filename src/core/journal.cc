#include "core/journal.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>

namespace cronally::core {
namespace {

constexpr std::string_view magic = "CRJ1";
constexpr std::size_t head_size = 12;  // magic, length, checksum
// A batch's records are some hundred kilobytes; a length beyond this is damage.
constexpr std::uint32_t payload_max = 64U << 20U;
constexpr std::int64_t no_instant = std::numeric_limits<std::int64_t>::min();

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), reflected polynomial 0x82f63b78, byte by byte.
constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1U ^ (value & 1U ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0) {
  static constexpr auto table = crc_table();
  std::uint32_t crc = ~before;
  for (const char byte : bytes) {
    crc = table[(crc ^ static_cast<std::uint8_t>(byte)) & 0xffU] ^ crc >> 8U;
  }
  return ~crc;
}

// ---- Fields -----------------------------------------------------------------------------------

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <std::size_t Size>
  void integer(std::int64_t value) {
    for (std::size_t i = 0; i < Size; ++i) {
      out_ += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xffU);
    }
  }
  void byte(std::int64_t value) { integer<1>(value); }
  void uuid(const Uuid& id) {
    out_.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  }
  void instant(Instant at) { integer<8>(us_of(at)); }
  void instant(const std::optional<Instant>& at) { integer<8>(at ? us_of(*at) : no_instant); }

 private:
  std::string& out_;
};

// Past the end everything is 0, and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

  template <std::size_t Size>
  std::int64_t integer() {
    const std::string_view taken = take(Size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(taken[i])} << (8 * i);
    }
    if constexpr (Size == 4) return static_cast<std::int32_t>(value);
    return static_cast<std::int64_t>(value);
  }
  std::int64_t byte() { return integer<1>(); }
  Uuid uuid() {
    Uuid id;
    const std::string_view taken = take(id.bytes.size());
    if (ok_) std::memcpy(id.bytes.data(), taken.data(), taken.size());
    return id;
  }
  Instant instant() { return instant_from_us(integer<8>()); }
  std::optional<Instant> maybe_instant() {
    const std::int64_t at = integer<8>();
    return at == no_instant ? std::nullopt : std::optional(instant_from_us(at));
  }
  // The number of elements that follow, each of so many bytes at least.
  std::size_t count(std::size_t element_size) {
    const auto count = static_cast<std::size_t>(integer<4>());
    if (count > bytes_.size() / element_size) ok_ = false;
    return ok_ ? count : 0;
  }
  // A value of a closed set, whose greatest is `last`.
  template <class E>
  E choice(E last) {
    const std::int64_t value = byte();
    if (value > static_cast<std::int64_t>(last)) ok_ = false;
    return ok_ ? static_cast<E>(value) : E{};
  }

 private:
  std::string_view take(std::size_t size) {
    if (bytes_.size() < size) ok_ = false;
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

// ---- Records ----------------------------------------------------------------------------------

void write(Writer& out, const JournalMark& mark) {
  out.uuid(mark.node.value);
  out.integer<8>(mark.generation);
}

void read(Reader& in, JournalMark& mark) {
  mark.node = {in.uuid()};
  mark.generation = in.integer<8>();
}

void write(Writer& out, const JournalAttempt& attempt) {
  out.integer<4>(attempt.number);
  out.integer<4>(attempt.revision);
  out.integer<8>(attempt.fence.value);
  out.byte(static_cast<std::int64_t>(attempt.fate));
  out.integer<4>(attempt.status);
  out.instant(attempt.first_byte_at);
  out.instant(attempt.ended_at);
}

void read(Reader& in, JournalAttempt& attempt) {
  attempt.number = static_cast<std::int32_t>(in.integer<4>());
  attempt.revision = static_cast<Revision>(in.integer<4>());
  attempt.fence = {in.integer<8>()};
  attempt.fate = in.choice(Fate::withdrawn);
  attempt.status = static_cast<std::int32_t>(in.integer<4>());
  attempt.first_byte_at = in.maybe_instant();
  attempt.ended_at = in.instant();
}

void write(Writer& out, const JournalRun& record) {
  const OpenRun& run = record.run;
  out.uuid(record.job.value);
  out.uuid(run.id.value);
  out.byte(run.shard.value);
  out.integer<4>(run.revision);
  out.byte(static_cast<std::int64_t>(run.kind));
  out.byte(static_cast<std::int64_t>(run.state));
  out.instant(run.scheduled_at);
  out.instant(run.due);
  out.integer<8>(run.fence.value);
  out.integer<4>(run.attempt);
  out.instant(run.send_at);
  out.integer<4>(run.failures);
  out.integer<4>(run.unknowns);
  out.instant(run.first_attempt_at);
  out.byte(static_cast<std::int64_t>(record.verdict));
  out.byte(static_cast<std::int64_t>(record.reason));
  out.byte(record.attempt ? 1 : 0);
  if (record.attempt) write(out, *record.attempt);
}

void read(Reader& in, JournalRun& record) {
  OpenRun& run = record.run;
  record.job = {in.uuid()};
  run.id = {in.uuid()};
  run.shard = {in.byte()};
  run.revision = static_cast<Revision>(in.integer<4>());
  run.kind = in.choice(RunKind::retry);
  run.state = in.choice(RunState::ended);
  run.scheduled_at = in.instant();
  run.due = in.instant();
  run.fence = {in.integer<8>()};
  run.attempt = static_cast<std::int32_t>(in.integer<4>());
  run.send_at = in.instant();
  run.failures = static_cast<std::int32_t>(in.integer<4>());
  run.unknowns = static_cast<std::int32_t>(in.integer<4>());
  run.first_attempt_at = in.maybe_instant();
  record.verdict = in.choice(Verdict::skipped);
  record.reason = in.choice(Reason::refused);
  if (in.byte() != 0) read(in, record.attempt.emplace());
}

void write(Writer& out, const JournalVoid& record) { out.uuid(record.run.value); }
void read(Reader& in, JournalVoid& record) { record.run = {in.uuid()}; }

// The fields that all replans have.
template <class Replanned>
void write_replan(Writer& out, const Replanned& record) {
  out.uuid(record.job.value);
  out.integer<4>(record.revision);
  out.instant(record.changed_at);
  out.integer<4>(std::ssize(record.owed));
  for (const Instant due : record.owed) out.instant(due);
  out.integer<4>(std::ssize(record.kept));
  for (const RunId& run : record.kept) out.uuid(run.value);
}

template <class Replanned>
void read_replan(Reader& in, Replanned& record) {
  record.job = {in.uuid()};
  record.revision = static_cast<Revision>(in.integer<4>());
  record.changed_at = in.instant();
  record.owed.resize(in.count(8));
  for (Instant& due : record.owed) due = in.instant();
  record.kept.resize(in.count(16));
  for (RunId& run : record.kept) run = {in.uuid()};
}

void write(Writer& out, const JournalUnfencedReplan& record) { write_replan(out, record); }
void read(Reader& in, JournalUnfencedReplan& record) { read_replan(in, record); }

void write(Writer& out, const JournalReplan& record) {
  write_replan(out, record);
  out.integer<8>(record.fence.value);
  out.instant(record.at);
}

void read(Reader& in, JournalReplan& record) {
  read_replan(in, record);
  record.fence = {in.integer<8>()};
  record.at = in.instant();
}

void write(Writer& out, const JournalCursors& record) {
  out.integer<4>(std::ssize(record.shards));
  for (const auto& [shard, cursor] : record.shards) {
    out.byte(shard.value);
    out.instant(cursor);
  }
}

void read(Reader& in, JournalCursors& record) {
  record.shards.resize(in.count(9));
  for (auto& [shard, cursor] : record.shards) {
    shard = {in.byte()};
    cursor = in.instant();
  }
}

template <std::size_t Kind = 0>
std::optional<JournalRecord> read_record(Reader& in, std::int64_t kind) {
  if constexpr (Kind == std::variant_size_v<JournalRecord>) {
    return std::nullopt;
  } else {
    if (kind != static_cast<std::int64_t>(Kind)) return read_record<Kind + 1>(in, kind);
    std::variant_alternative_t<Kind, JournalRecord> record;
    read(in, record);
    if (!in.ok()) return std::nullopt;
    return record;
  }
}

// The payload of the block that begins `bytes`; nullopt if no whole one does.
std::optional<std::string_view> payload_of(std::string_view bytes) {
  if (bytes.size() < head_size || !bytes.starts_with(magic)) return std::nullopt;
  Reader head(bytes.substr(magic.size(), 8));
  const auto length = static_cast<std::uint32_t>(head.integer<4>());
  const auto checksum = static_cast<std::uint32_t>(head.integer<4>());
  if (length > payload_max || bytes.size() - head_size < length) return std::nullopt;
  const std::string_view payload = bytes.substr(head_size, length);
  if (crc32c(payload, crc32c(bytes.substr(magic.size(), 4))) != checksum) return std::nullopt;
  return payload;
}

// Kinds up to this one the first version knew.
constexpr std::size_t first_kinds_last = 4;

bool never_tried(const RememberedRun& known) {
  return known.run.attempt == 1 && known.attempts.empty();
}

// Whether it stands as an attempt's end has left it.
bool stands_as_told(const RememberedRun& known) {
  const OpenRun& run = known.run;
  const std::int32_t number = run.state == RunState::ended ? run.attempt : run.attempt - 1;
  return std::ranges::any_of(known.attempts, [&](const JournalAttempt& attempt) {
    return attempt.number == number && attempt.fence == run.fence;
  });
}

RememberedRun stand_of(const RememberedRun& known) {
  return {known.node, known.job, known.run, known.verdict, known.reason, {}};
}

// Of what attempts' ends have told.
bool further(const OpenRun& run, const OpenRun& than) {
  return std::pair(run.attempt, run.state) > std::pair(than.attempt, than.state);
}

// Whether somebody has gone on with it since an attempt's end left it like this. A run is not asked
// for anew: who takes it on so goes by a store that has forgotten.
bool beyond(const OpenRun& run, const OpenRun& before) {
  if (run.attempt != before.attempt) return run.attempt > before.attempt;
  return before.state != RunState::ended && run.fence > before.fence;
}

}  // namespace

std::string journal_block(const std::vector<JournalRecord>& records) {
  if (records.empty()) return {};
  std::string block(magic);
  block.resize(head_size);
  block.reserve(head_size + records.size() * 112);
  Writer out(block);
  for (const bool later : {false, true}) {
    for (const JournalRecord& record : records) {
      if ((record.index() > first_kinds_last) != later) continue;
      out.byte(static_cast<std::int64_t>(record.index()));
      std::visit([&](const auto& what) { write(out, what); }, record);
    }
  }
  std::string head;
  Writer fields(head);
  const std::string_view payload = std::string_view(block).substr(head_size);
  fields.integer<4>(std::ssize(payload));
  fields.integer<4>(crc32c(payload, crc32c(head)));
  block.replace(magic.size(), head.size(), head);
  return block;
}

// ---- Replay -----------------------------------------------------------------------------------

void JournalReplay::add(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto payload = payload_of(bytes);
    if (!payload) {
      const auto next = bytes.find(magic, 1);
      if (next == std::string_view::npos) return;  // a torn end
      bytes.remove_prefix(next);
      if (payload_of(bytes)) ++damaged_;
      continue;
    }
    bytes.remove_prefix(head_size + payload->size());
    Reader in(*payload);
    while (!in.at_end()) {
      auto record = read_record(in, in.byte());
      if (!record) {  // written by a version that knows more
        ++damaged_;
        break;
      }
      std::visit([this](auto& what) { on(std::move(what)); }, *record);
    }
  }
}

// Cursors of before the store forgot are not its own.
void JournalReplay::on(JournalMark&& record) {
  if (record.generation != mark_.generation) cursors_.clear();
  mark_ = record;
}

// What became of an attempt is so. Anything else is what a batch was about to do, and is followed
// by how the run was read if it did not: that undoes no end of an attempt which the store may not
// have known by then, and knows since.
void JournalReplay::on(JournalRun&& record) {
  const RunId id = record.run.id;
  auto [found, fresh] = runs_.try_emplace(id);
  RememberedRun& known = found->second;
  if (record.job != JobId{}) known.job = record.job;
  if (fresh) of_job_[known.job].push_back(id);
  RememberedRun now{mark_.node,     known.job,     std::move(record.run),
                    record.verdict, record.reason, {}};
  if (record.attempt) {
    // It may end after its run was put back, under another number, and taken over by this very
    // node: how that one stands is not undone by it.
    const bool late = !fresh && now.run.fence < known.run.fence;
    std::erase_if(known.attempts,
                  [&](const auto& attempt) { return attempt.number == record.attempt->number; });
    known.attempts.push_back(*record.attempt);
    if (late) {
      const auto [told, first] = told_.try_emplace(id, now);
      if (!first && further(now.run, told->second.run)) told->second = std::move(now);
      return;
    }
    told_.erase(id);
  } else {
    if (!fresh && stands_as_told(known)) told_.insert_or_assign(id, stand_of(known));
    const auto told = told_.find(id);
    if (told != told_.end() && now.run.state != RunState::ended &&
        !beyond(now.run, told->second.run)) {
      now = std::move(told->second);
      told_.erase(told);
    }
  }
  now.attempts = std::move(known.attempts);
  known = std::move(now);
}

void JournalReplay::on(JournalVoid&& record) {
  const auto found = runs_.find(record.run);
  if (found == runs_.end()) return;
  if (found->second.run.state == RunState::claimed && never_tried(found->second)) {
    runs_.erase(found);
  }
}

template <class Replanned, class Deletes>
void JournalReplay::replan(const Replanned& record, Deletes deletes) {
  const auto runs = of_job_.find(record.job);
  if (runs == of_job_.end()) return;
  std::erase_if(runs->second, [&](const RunId& id) {
    const auto found = runs_.find(id);
    if (found == runs_.end()) return true;
    OpenRun& run = found->second.run;
    if (run.state == RunState::ended || !never_tried(found->second) ||
        run.kind != RunKind::scheduled || run.due <= record.changed_at ||
        std::ranges::find(record.kept, id) != record.kept.end() || !deletes(run)) {
      return false;
    }
    if (std::ranges::binary_search(record.owed, run.due)) {
      run.revision = record.revision;
      return false;
    }
    runs_.erase(found);
    return true;
  });
}

void JournalReplay::on(JournalUnfencedReplan&& record) {
  replan(record, [](const OpenRun& run) { return run.state == RunState::claimed; });
}

void JournalReplay::on(JournalReplan&& record) {
  replan(record,
         [&](const OpenRun& run) { return run.fence == record.fence || run.due > record.at; });
}

void JournalReplay::on(JournalCursors&& record) {
  for (const auto& [shard, cursor] : record.shards) cursors_[shard] = cursor;
}

// ---- What a database forgot -------------------------------------------------------------------

std::int64_t judge_memory(const ServerMark& stored, const ServerMark& now, std::int64_t generation,
                          std::int64_t known, bool behind) {
  constexpr std::int64_t untold = 256;  // how often it was put back cannot be told
  std::int64_t rise = 0;
  if (now.system != stored.system || now.timeline < stored.timeline) {
    rise = untold;
  } else {
    rise = now.timeline - stored.timeline;
  }
  if (known > generation) rise = std::max(rise, known - generation + untold);
  if (behind && known == generation && rise == 0) rise = untold;
  return rise;
}

Instant quiet_until(const Quiet& quiet, std::int64_t generation, const std::vector<NodeRow>& nodes,
                    Instant now) {
  Duration trusted = quiet_min;
  bool witnessed = false, all_back = true, any_puts_back = false, any_unsaid = false;
  for (const NodeRow& row : nodes) {
    const bool heard = row.beat_at >= quiet.since;
    const bool back = row.back == generation;
    if (heard) {
      trusted = std::max(trusted, row.ends - row.beat_at);
      any_unsaid |= !row.back;
      any_puts_back |= row.back && !back && row.ends > now;
    }
    const bool told = row.awaited == generation;
    witnessed |= told;
    if (heard || told || row.ends > quiet.since - quiet_memory) all_back &= back;
  }
  if (witnessed && all_back) return std::max(quiet.since + quiet_least, now);
  Instant until = quiet.since + trusted;
  if (any_puts_back) until = std::max(until, std::min(quiet.since + quiet_max, now + trusted));
  if (any_unsaid) until = std::max(until, quiet.until);
  return until;
}

PutBack put_back(const RememberedRun& remembered, bool job_known,
                 const std::optional<StoredRun>& stored) {
  const OpenRun& run = remembered.run;
  if (!job_known) return PutBack::job_lost;
  if (!stored) return PutBack::inserted;
  if (stored->id != run.id) return PutBack::taken;
  const bool succeeded = run.state == RunState::ended && remembered.verdict == Verdict::succeeded;
  if (stored->verdict) {
    return succeeded && stored->verdict != Verdict::succeeded ? PutBack::ended : PutBack::known;
  }
  if (succeeded && !stored->acted_on) return PutBack::ended;
  if (stored->attempt > run.attempt || stored->fence > run.fence) return PutBack::known;
  if (run.state == RunState::ended) return PutBack::ended;
  const bool behind =
      stored->attempt < run.attempt || stored->fence < run.fence || stored->state < run.state;
  return behind ? PutBack::raised : PutBack::known;
}

}  // namespace cronally::core
