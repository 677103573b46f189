// A whole store as rows, for moving it into a database of another kind. A source gives the rows of
// each table below in a neutral form; the store that takes them numbers and places them as its own.
//
// A row is a list of cells in the order of its table's columns. Ids are 16 bytes, instants and
// lengths microseconds, closed sets the integers of their enums, flags 0 or 1.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "base/uuid.h"

namespace cronally::store {

enum class TransferTable : std::uint8_t {
  accounts,   // account_no id name signing_secret webhook_url webhook_headers email api_key
              // api_secret
  tokens,     // token_no id account_no name digest admin created_at
  secrets,    // id job_no sealed
  jobs,       // job_no id account_no shard name labels (JSON) revision planned_revision change
              // last_change paused gone created_at changed_at schedule zone dst anchor delivery
              // attempts backoff_min backoff_max age_max catch_up catch_up_window catch_up_limit
              // destination v1_name
  revisions,  // job_no revision definition schedule zone dst anchor name changed_at owed_from
  shards,     // shard cursor fence change seen
  leases,     // fence node taken_at
  runs,       // run_no due id job_no shard revision kind key scheduled_at verdict reason fence
              // attempt ended_at
  open_runs,  // run_no due id job_no shard revision kind scheduled_at state fence attempt send_at
              // failures unknowns first_attempt_at
  attempts,   // run_no due (of the run) number revision fence fate status first_byte_at ended_at
              // error response
  keys,       // job_no key run_no due
  spans,      // span_no job_no revision after until reason count
  notices,    // notice_no account_no run_id at batch
  batches,    // account_no id attempt send_at
  answers,    // account_no key digest answer at
};

// A view stands until the next row. monostate: null.
using TransferCell = std::variant<std::monostate, std::int64_t, std::string_view>;
using TransferRow = std::span<const TransferCell>;

struct TransferMark {
  std::int64_t generation = 0;  // high bits of every fence so far
  Instant last_commit;          // newest clock that any commit carried
  Duration last_steady{};       // steady clock of that commit, counted from `boot`
  std::string boot;
  std::int64_t run_last = 0;  // newest number that a run was given
};

// All it gives is of one moment. An outage throws Unavailable.
class TransferSource {
 public:
  virtual ~TransferSource() = default;
  virtual TransferMark mark() = 0;
  // About how many rows there are in all, for a progress bar.
  virtual std::int64_t rows() = 0;
  // The days since 1970 on which runs are due.
  virtual std::vector<std::int64_t> days() = 0;
  virtual void read(TransferTable table, const std::function<void(TransferRow)>& take) = 0;
};

}  // namespace cronally::store
