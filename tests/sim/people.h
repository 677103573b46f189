// Who creates and changes jobs, half of the time around the instant at which some job is due, and
// waits for acknowledgements.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/job.h"
#include "tests/sim/history.h"

namespace cronally::sim {

class World;

class People {
 public:
  explicit People(World& world) : world_(world) {}
  void begin();
  // Looks which edits the store acknowledges by now.
  void note_acks();
  Revision acked(JobNo job) const;  // the newest acknowledged revision; 0: none
  std::vector<Edit> unacked() const;
  int edits_made() const { return static_cast<int>(edits_.size()); }

 private:
  void schedule_edit();
  Duration draw_aim();
  void edit();
  void change(const core::Job& job);
  void toggle_pause(const core::Job& job);
  void request_run(const core::Job& job);
  void create_job();
  void change_mind(const JobId& id);
  void edit(const core::Job& job);
  void note_edit(const core::Job& job);
  void tell_nodes(Duration delay);
  core::JobDefinition draw_definition();
  std::optional<core::Job> draw_job();

  World& world_;
  std::vector<JobId> jobs_;
  std::vector<Edit> edits_;
  std::vector<std::size_t> unacked_;
  std::map<JobNo, Revision> acked_;
};

}  // namespace cronally::sim
