// What befalls the files of a store while it runs, and what is refused meanwhile (DESIGN P12):
//
//   full      the disk has no space: work that grows the store is refused, the ballast is given to
//             the rest; ends by itself once the ballast fits again
//   removed   the database or its log is no longer the file that was opened: everything is
//             refused, for what would be acknowledged ends with the process; ends when the same
//             files are back. Reading goes on, so that a backup can still be taken
//   damaged   SQLite found a page that cannot be right: everything is refused until a restart
//
// Each state is posted on the health board as "database". The writer's thread only.
#pragma once

#include <sys/types.h>

#include <array>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>

#include "base/time.h"
#include "runtime/health.h"
#include "store/sqlite/ballast.h"

namespace cronally::store::sqlite {

// What a piece of work asks of the disk.
enum class Need : std::uint8_t {
  little,  // outcomes, ends, pruning: done from the ballast when the disk is full
  room,    // new jobs, claims: refused when the disk is full
};

class FileWatch {
 public:
  // No ballast: a full disk is an error of the work that met it, and no state. `health` may be
  // null.
  struct Options {
    std::filesystem::path file{};  // empty: its files are not looked at
    std::optional<Ballast> ballast{};
    runtime::Health* health = nullptr;
  };

  explicit FileWatch(Options options);

  // How long the writer may sleep between two look()s.
  static constexpr Duration look_every = std::chrono::seconds{1};

  // Looks whether the state has changed by itself; does nothing within look_every of the last.
  void look(SteadyInstant now);

  // After a commit, before anybody is told: whether it went into the files that have the names.
  bool files_in_place();

  // The work that has met this may be tried once more when true.
  bool out_of_space();
  void damaged(const std::string& what);

  // Why work with this need is refused now; null: it is not. An Unavailable with a code of its
  // own: "disk_full", "database_removed", "database_corrupt".
  std::exception_ptr refusal(Need need) const;

 private:
  enum class State : std::uint8_t { well, full, removed, damaged };
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };

  void enter(State state, const std::string& reason);
  static std::optional<Identity> identity_of(const std::filesystem::path& file);

  Options options_;
  std::array<std::filesystem::path, 2> files_;  // the database and its log
  std::array<std::optional<Identity>, 2> opened_;
  State state_ = State::well;
  std::string reason_;
  std::optional<SteadyInstant> looked_at_;
};

}  // namespace cronally::store::sqlite
