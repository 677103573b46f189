#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace cronally::net {
namespace {

constexpr std::uint32_t everything = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

}  // namespace

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(epoll_ >= 0 && wake_ >= 0, "no epoll or eventfd: out of file descriptors");
  // Edge-triggered too: each write to the eventfd is an edge, so nobody has to read it.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0, "epoll takes an eventfd");
  refresh();
}

EventLoop::~EventLoop() {
  timers_.clear();
  ::close(epoll_);
  ::close(wake_);
}

bool EventLoop::add(int fd, Watcher& watcher) {
  epoll_event event{.events = everything, .data = {.ptr = &watcher}};
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::hand_over(int fd, Watcher& watcher) {
  epoll_event event{.events = everything, .data = {.ptr = &watcher}};
  CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0, "only what was added is handed over");
}

void EventLoop::set(Timer& timer, SteadyInstant due) {
  timer.unlink();
  timer.due_ = due;
  timers_.insert(timers_.end(), timer);  // most are due last
}

void EventLoop::wait() {
  std::array<epoll_event, 512> events;
  const int count = ::epoll_wait(epoll_, events.data(), events.size(), wait_ms());
  refresh();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) continue;  // woken
    static_cast<Watcher*>(event.data.ptr)
        ->on_ready({.in = (event.events & EPOLLIN) != 0,
                    .out = (event.events & EPOLLOUT) != 0,
                    .closed = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0});
  }
}

int EventLoop::wait_ms() const {
  if (timers_.empty()) return -1;
  const Duration left = timers_.begin()->due_ - clock_.steady();
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000));
}

void EventLoop::fire_timers() {
  while (!timers_.empty() && timers_.begin()->due_ <= now_) {
    Timer& timer = *timers_.begin();
    timer.unlink();
    timer.on_time();
  }
}

void EventLoop::wake() { ::eventfd_write(wake_, 1); }

}  // namespace cronally::net
