#include "delivery/target_deliverer.h"

#include <gtest/gtest.h>

namespace cronally::delivery {
namespace {

struct Recorder : Deliverer {
  void deliver(std::vector<Delivery> batch, std::shared_ptr<const DeliverySink> with) override {
    ++calls;
    sink = std::move(with);
    for (const Delivery& each : batch) runs.push_back(each.run_no.value);
  }
  void end_withdrawn() override { ++ended; }
  int calls = 0;
  int ended = 0;
  std::vector<std::int64_t> runs;
  std::shared_ptr<const DeliverySink> sink;
};

Delivery to(core::Target target, std::int64_t run) {
  core::JobDefinition definition;
  definition.target = std::move(target);
  Delivery out;
  out.run_no = RunNo{run};
  out.definition = std::make_shared<const core::JobDefinition>(std::move(definition));
  return out;
}

TEST(Targets, LeadToTheDelivererOfTheirTypeInOrder) {
  Recorder http, sns;
  TargetDeliverer deliverer(http, sns);
  const auto sink = std::make_shared<const DeliverySink>();
  std::vector<Delivery> batch;
  batch.push_back(to(core::HttpTarget{}, 1));
  batch.push_back(to(core::SnsTarget{}, 2));
  batch.push_back(to(core::HttpTarget{}, 3));
  batch.push_back(to(core::SnsTarget{}, 4));
  deliverer.deliver(std::move(batch), sink);
  EXPECT_EQ(http.runs, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(sns.runs, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(http.sink, sink);
  EXPECT_EQ(sns.sink, sink);
}

TEST(Targets, OfOneTypeDisturbNoOther) {
  Recorder http, sns;
  TargetDeliverer deliverer(http, sns);
  std::vector<Delivery> batch;
  batch.push_back(to(core::SnsTarget{}, 1));
  deliverer.deliver(std::move(batch), nullptr);
  EXPECT_EQ(http.calls, 0);
  EXPECT_EQ(sns.calls, 1);
}

TEST(Targets, AreAllToldOfWhatIsWithdrawn) {
  Recorder http, sns;
  TargetDeliverer(http, sns).end_withdrawn();
  EXPECT_EQ(http.ended, 1);
  EXPECT_EQ(sns.ended, 1);
}

}  // namespace
}  // namespace cronally::delivery
