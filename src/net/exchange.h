// One request under way, from its submission to its end. Internal to http_client.
#pragma once

#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/check.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace cronally::net {

class AnswerReader;
class Connection;
struct Destination;

using AutoUnlink = boost::intrusive::link_mode<boost::intrusive::auto_unlink>;
// A place in a list; leaves it when its owner goes, or moves on.
template <class Tag>
using ListHook = boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>, AutoUnlink>;
template <class T, class Tag>
using List = boost::intrusive::list<T, boost::intrusive::base_hook<ListHook<Tag>>,
                                    boost::intrusive::constant_time_size<false>>;

struct OfClient;   // exchanges that have not ended
struct OfWaiting;  // exchanges without a connection

inline constexpr const char* withdrawn_text = "withdrawn before the first byte left";
inline constexpr const char* cut_off_text =
    "cut off: the server's lease ended before the receiver had acknowledged the whole request";

struct Exchange final : Timer, ListHook<OfClient>, ListHook<OfWaiting> {
  // Its time is over.
  void on_time() override { (*on_overdue)(*this); }

  // Right before the first byte: false keeps the request back for ever.
  bool may_leave() {
    const bool allowed = !may_send || may_send();
    if (allowed && (!gate || gate->start())) return true;
    CHECK(!gate || gate->withdraw(), "a gate serves one attempt only");
    return false;
  }

  bool withdrawn() const { return gate && gate->state() == SendGate::State::withdrawn; }
  bool cut_off() const { return gate && gate->state() == SendGate::State::cut_off; }
  // What became of a request of which no byte left.
  Fate unsent() const { return withdrawn() ? Fate::withdrawn : Fate::not_sent; }

  std::uint64_t tag = 0;
  std::uint32_t subtag = 0;
  std::shared_ptr<SendGate> gate;
  std::function<bool()> may_send;
  std::shared_ptr<const HttpSink> sink;
  const std::function<void(Exchange&)>* on_overdue = nullptr;
  Duration timeout{};
  bool fresh = false;
  bool head = false;  // the method is HEAD
  std::string wire;   // the whole request

  Destination* destination = nullptr;
  Connection* connection = nullptr;  // null while it waits for one
  std::optional<Instant> first_byte_at;
};

// How one ended.
struct Ending {
  Fate fate = Fate::unknown;
  std::string error{};             // one line; empty when answered
  AnswerReader* answer = nullptr;  // when answered
};

}  // namespace cronally::net
