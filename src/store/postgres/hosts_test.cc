// Which server is followed and in which order hosts are tried; and what an address says.
#include "store/postgres/hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace cronally::store::postgres {
namespace {

using namespace std::chrono_literals;
using core::ServerMark;
using ::testing::ElementsAre;

// ---- which server is followed -------------------------------------------------------------------

TEST(Followed, AnythingUntilSomethingHasCommitted) {
  const Followed followed;
  EXPECT_TRUE(followed.takes({7, 3}));
  EXPECT_TRUE(followed.keeps({7, 3}, followed.changes()));
}

TEST(Followed, IsTheHighestTimelineOnWhichSomethingCommitted) {
  Followed followed;
  EXPECT_FALSE(followed.committed({7, 3})) << "none was followed before";
  const struct {
    ServerMark server;
    bool takes;
    bool keeps;
  } rows[] = {
      {{7, 3}, true, true},
      {{7, 4}, true, true},
      {{7, 2}, false, false},
      {{8, 1}, true, false},  // made anew: only connections that are newer than the commit
  };
  for (const auto& [server, takes, keeps] : rows) {
    EXPECT_EQ(followed.takes(server), takes) << server.system << "/" << server.timeline;
    EXPECT_EQ(followed.keeps(server, 0), keeps) << server.system << "/" << server.timeline;
  }
  EXPECT_TRUE(followed.committed({7, 4}));
  EXPECT_FALSE(followed.takes({7, 3}));
  EXPECT_FALSE(followed.committed({7, 3})) << "it had begun before";
  EXPECT_FALSE(followed.takes({7, 3}));
}

TEST(Followed, IsAnotherClusterFromItsFirstCommitOn) {
  Followed followed;
  followed.committed({7, 9});
  const auto made = followed.changes();
  EXPECT_TRUE(followed.keeps({8, 1}, made)) << "nothing has committed since it was made";
  EXPECT_TRUE(followed.committed({8, 1}));
  EXPECT_TRUE(followed.keeps({8, 1}, made));
  EXPECT_FALSE(followed.keeps({7, 9}, made));
}

TEST(Followed, YieldsToATimelineThatFellWhenNoOtherServerIsFoundForLong) {
  constexpr SteadyInstant start{1h};
  Followed followed;
  followed.committed({7, 5});
  EXPECT_FALSE(followed.yields({7, 4}, start));
  EXPECT_FALSE(followed.yields({7, 4}, start + put_back_after - 1us));
  EXPECT_FALSE(followed.takes({7, 4}));
  EXPECT_TRUE(followed.yields({7, 4}, start + put_back_after));
  EXPECT_TRUE(followed.takes({7, 4}));
  EXPECT_TRUE(followed.keeps({7, 4}, followed.changes()));
}

TEST(Followed, YieldsNotWhileTheServerIsFoundInBetween) {
  constexpr SteadyInstant start{1h};
  Followed followed;
  followed.committed({7, 5});
  EXPECT_FALSE(followed.yields({7, 4}, start));
  followed.found();
  EXPECT_FALSE(followed.yields({7, 4}, start + put_back_after));
  followed.committed({7, 5});
  EXPECT_FALSE(followed.yields({7, 4}, start + 2 * put_back_after));
}

// ---- the order ----------------------------------------------------------------------------------

const Host a{"a", "1", "10.0.0.1"};
const Host b{"b", "2", "10.0.0.2"};
const Host c{"c", "3", "10.0.0.3"};

TEST(HostOrder, IsThatOfTheAddressUntilAHostIsSilent) {
  HostOrder order;
  EXPECT_THAT(order.order({a, b, c}), ElementsAre(a, b, c));
  order.silent(a);
  EXPECT_THAT(order.order({a, b, c}), ElementsAre(b, c, a));
  order.silent(b);
  EXPECT_THAT(order.order({a, b, c}), ElementsAre(c, a, b));
  order.silent(a);
  EXPECT_THAT(order.order({a, b, c}), ElementsAre(c, b, a));
  EXPECT_THAT(order.order({a}), ElementsAre(a));
}

TEST(HostOrder, CountsForEachHostWhenItWasSilent) {
  HostOrder order;
  EXPECT_EQ(order.silences(a), 0);
  order.silent(a);
  const auto before = order.silences(a);
  EXPECT_EQ(order.silences(b), 0);
  order.silent(a);
  EXPECT_GT(order.silences(a), before);
}

TEST(HostOrder, LeavesTheAddressesOfANameTogetherButTheSilentOneLast) {
  const Host a6{"a", "1", "fd00::1"};
  HostOrder order;
  order.silent(a6);
  EXPECT_THAT(order.order({a6, a, b}), ElementsAre(b, a, a6));
  EXPECT_THAT(order.order({a6, a}), ElementsAre(a, a6)) << "one name for several servers";
}

TEST(HostOrder, TellsPortsOfOneMachineApart) {
  const Host one{"a", "1", "10.0.0.1"};
  const Host other{"a", "2", "10.0.0.1"};
  HostOrder order;
  order.silent(one);
  EXPECT_THAT(order.order({one, other}), ElementsAre(other, one));
}

// ---- the first server
// -----------------------------------------------------------------------------

TEST(FirstServer, IsTheOneOnTheHighestTimelineThatWasNotSilent) {
  const struct {
    std::vector<Writable> servers;
    std::vector<std::size_t> order;
  } rows[] = {
      {{{{7, 3}}, {{7, 4}}}, {1, 0}},
      {{{{7, 4}}, {{7, 4}}}, {0, 1}},
      {{{{7, 3}}, {{8, 9}}, {{7, 4}}}, {2, 0, 1}},  // clusters do not compare
      {{{{7, 3}}, {{7, 4}, true}}, {0, 1}},
      {{{{7, 4}, true}}, {0}},
  };
  for (const auto& [servers, order] : rows) EXPECT_EQ(order_of(servers), order);
}

// ---- what an address says -----------------------------------------------------------------------

TEST(Address, NamesItsHostsWithTheirPortsAndNumbers) {
  const struct {
    std::string address;
    std::vector<Host> hosts;
  } rows[] = {
      {"postgres://u@db1,db2/d", {{"db1", ""}, {"db2", ""}}},
      {"postgres://u@db1:1,db2:2/d", {{"db1", "1"}, {"db2", "2"}}},
      {"host=db1,db2 port=7", {{"db1", "7"}, {"db2", "7"}}},
      {"hostaddr=10.0.0.1,10.0.0.2 port=1,2", {{"", "1", "10.0.0.1"}, {"", "2", "10.0.0.2"}}},
      {"host=db1,db2 hostaddr=10.0.0.1,10.0.0.2",
       {{"db1", "", "10.0.0.1"}, {"db2", "", "10.0.0.2"}}},
      {"host=/run/postgresql dbname=d", {{"/run/postgresql", ""}}},
      {"dbname=d", {{"", ""}}},
      {"service=ours", {{"", ""}}},
      {"hots=db1", {}},
  };
  for (const auto& [address, hosts] : rows) EXPECT_EQ(hosts_of(address), hosts) << address;
}

TEST(Address, LeavesToTheEnvironmentWhatItDoesNotSay) {
  ::setenv("PGHOST", "db8,db9", 1);
  ::setenv("PGPORT", "8,9", 1);
  const auto hosts = hosts_of("dbname=d");
  ::unsetenv("PGHOST");
  ::unsetenv("PGPORT");
  EXPECT_THAT(hosts, ElementsAre(Host{"db8", "8"}, Host{"db9", "9"}));
}

TEST(Address, ResolvesNamesAndNothingElse) {
  EXPECT_THAT(resolved({{"127.0.0.1", "1"}}), ElementsAre(Host{"127.0.0.1", "1", "127.0.0.1"}));
  const std::vector<Host> kept{{"/tmp", "1"},
                               {"", ""},
                               {"", "1", "10.0.0.1"},
                               {"db1", "", "10.0.0.2"},
                               {"no-such-name.invalid", "1"}};
  EXPECT_EQ(resolved(kept), kept);
}

TEST(Address, SaysHowLongAHostHas) {
  EXPECT_EQ(connect_max("host=db1"), 3s);
  EXPECT_EQ(connect_max("host=db1 connect_timeout=7"), 7s);
  EXPECT_EQ(connect_max("host=db1 connect_timeout=0"), 3s);
}

}  // namespace
}  // namespace cronally::store::postgres
