// Waits for sockets, times and other threads' words, for one thread: epoll(7), edge-triggered.
//
// A socket is added once, for all it may ever tell, and never changed: no system call is spent on
// saying what is waited for. So whoever watches reads and writes until the kernel says EAGAIN, or
// gives less than was asked for. All times stand in one ordered structure, without allocations.
#pragma once

#include <atomic>
#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "base/time.h"
#include "runtime/clock.h"

namespace cronally::net {

struct Ready {
  bool in = false;      // there is something to read, or the end
  bool out = false;     // there is room to write
  bool closed = false;  // the peer sends no more, or the socket has failed: read to learn which
};

// Told when its socket is ready. It must live to the end of the turn in which it was closed, and
// must not mind being told once more then.
class Watcher {
 public:
  virtual void on_ready(Ready ready) = 0;

 protected:
  ~Watcher() = default;
};

// Told once, when its time has come. Set and cancelled through EventLoop; ends with its life.
class Timer : public boost::intrusive::set_base_hook<
                  boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void on_time() = 0;

 protected:
  ~Timer() = default;

 private:
  friend class EventLoop;
  friend bool operator<(const Timer& a, const Timer& b) { return a.due_ < b.due_; }
  SteadyInstant due_;
};

// Everything but wake() is for one thread.
class EventLoop {
 public:
  EventLoop();  // out of file descriptors: a CHECK
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Until `fd` is closed. A socket that is ready already tells so in the next turn. False: the
  // kernel has no room for it (epoll_ctl(2): ENOSPC, ENOMEM).
  [[nodiscard]] bool add(int fd, Watcher& watcher);
  // The same socket, with another watcher from now on.
  void hand_over(int fd, Watcher& watcher);

  void set(Timer& timer, SteadyInstant due);
  void cancel(Timer& timer) { timer.unlink(); }

  // One turn: waits until a socket is ready, a time has come or somebody woke it, then tells the
  // sockets, at most 512. Times come to their turn in fire_timers().
  void wait();
  void fire_timers();

  // Ends a wait, this one or the next. Any thread.
  void wake();

  // The steady time of this turn, or of the last refresh.
  SteadyInstant now() const { return now_; }
  void refresh() { now_ = clock_.steady(); }

 private:
  int wait_ms() const;

  using Timers = boost::intrusive::multiset<Timer, boost::intrusive::constant_time_size<false>>;

  // Time-outs are real even where the wall is a test's.
  const runtime::SystemClock clock_{runtime::SystemClock::Hooks::ignore};
  const int epoll_;
  const int wake_;  // eventfd(2)
  SteadyInstant now_;
  Timers timers_;
};

}  // namespace cronally::net
