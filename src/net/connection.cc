#include "net/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cronally::net {

Connection::Connection(Shared& shared, Destination& destination)
    : shared_(shared), destination_(destination), dialer_(shared.loop, *this, shared.opened) {}

// ---- To a connection --------------------------------------------------------------------------

void Connection::begin(Exchange& exchange) {
  exchange_ = &exchange;
  exchange.connection = this;
  const Duration limit = std::min(exchange.timeout, shared_.connect_timeout);
  shared_.loop.set(*this, shared_.loop.now() + limit);
}

void Connection::open(Addresses addresses) {
  state_ = State::connecting;
  dialer_.dial(std::move(addresses), destination_.origin.port);
}

void Connection::fail_to_open(std::string error) { fail(std::move(error)); }

void Connection::on_connected(Socket socket) {
  stream_ = Stream{std::move(socket)};
  shared_.loop.hand_over(stream_.fd(), *this);
  if (!destination_.origin.tls) return start();
  if (!shared_.tls) return fail(shared_.tls.error().message);
  stream_.start_tls(**shared_.tls, destination_.origin.host, destination_.session);
  state_ = State::handshaking;
  shake_hands();
}

void Connection::shake_hands() {
  IoResult shaken = stream_.handshake();
  if (shaken.io == Io::ok) return start();
  if (shaken.io != Io::wait) fail(std::move(shaken.error));
}

void Connection::on_time() {
  const Duration limit = std::min(exchange_->timeout, shared_.connect_timeout);
  fail(fmt::format("timed out after {} ms, before anything was sent",
                   std::chrono::ceil<std::chrono::milliseconds>(limit).count()));
}

// ---- One exchange -----------------------------------------------------------------------------

void Connection::carry(Exchange& exchange) {
  CHECK(state_ == State::idle, "only an idle connection takes an exchange");
  exchange_ = &exchange;
  exchange.connection = this;
  start();
}

void Connection::start() {
  shared_.loop.cancel(*this);
  state_ = State::busy;
  reusable_ = false;
  if (!exchange_->may_leave()) {
    reusable_ = true;
    return end({.fate = Fate::withdrawn, .error = withdrawn_text});
  }
  reader_.reset(exchange_->head);
  sent_ = 0;
  exchange_->first_byte_at = shared_.clock.wall();
  send();
}

void Connection::send() {
  const std::string_view wire = exchange_->wire;
  while (sent_ < wire.size()) {
    const IoResult wrote = stream_.write(wire.substr(sent_));
    if (wrote.io == Io::wait) return;
    if (wrote.io == Io::ok) {
      sent_ += wrote.count;
      continue;
    }
    if (sent_ == 0 && !stream_.tls()) {
      exchange_->first_byte_at.reset();  // the kernel took none
      return fail("the connection closed before anything was sent: " + wrote.error);
    }
    // A receiver may answer and close before it has read everything.
    receive(true);
    if (state_ == State::busy) fail("the connection closed before an answer came: " + wrote.error);
    return;
  }
}

void Connection::on_ready(Ready ready) {
  switch (state_) {
    case State::handshaking: return shake_hands();
    case State::busy:
      if (sent_ < exchange_->wire.size()) send();
      // TLS may have waited for room to write before it can read on.
      if (state_ == State::busy && (ready.in || ready.closed || stream_.tls())) {
        receive(ready.closed);
      }
      return;
    case State::idle:
      // Nothing was asked for: it is the end, or a fault.
      if (ready.closed || (ready.in && !only_tickets())) {
        close();
        shared_.owner.on_closed(*this);
      }
      return;
    case State::naming:
    case State::connecting:
    case State::closed: return;
  }
}

// Reads until nothing is left: the loop tells of what comes later only. Less than was asked for
// means that nothing is left, but for the end, which `peer_closed` announces.
void Connection::receive(bool peer_closed) {
  while (state_ == State::busy) {
    IoResult got = stream_.read(shared_.scratch);
    if (got.io == Io::wait) return;
    if (got.io == Io::failed) {
      return fail("the connection closed before the answer was whole: " + got.error);
    }
    bool clean = true;
    if (got.io == Io::ok) clean = feed({shared_.scratch.data(), got.count});
    if (got.io == Io::end) reader_.end();
    judge(peer_closed || got.io == Io::end || !clean);
    const bool may_be_more = stream_.tls() || peer_closed || got.count == shared_.scratch.size();
    if (!may_be_more) return;
  }
}

// False: there are bytes behind the answer, which nobody asked for.
bool Connection::feed(std::string_view bytes) {
  if (!kept_.empty()) {
    kept_.append(bytes);
    kept_.erase(0, reader_.take(kept_));
  } else {
    kept_.assign(bytes.substr(reader_.take(bytes)));
  }
  return kept_.empty();
}

void Connection::judge(bool peer_closed) {
  if (reader_.state() == AnswerReader::State::broken) return fail(std::string{reader_.fault()});
  if (reader_.state() != AnswerReader::State::done) return;
  reusable_ = !peer_closed && reader_.keep_alive() && sent_ == exchange_->wire.size() &&
              (!stream_.tls() || only_tickets());
  end({.fate = Fate::answered, .answer = &reader_});
}

// Of TLS: what is left to read is no more than session tickets, which are nothing.
bool Connection::only_tickets() {
  return stream_.tls() && stream_.read(shared_.scratch).io == Io::wait;
}

// ---- The end ----------------------------------------------------------------------------------

void Connection::abandon(std::string error) { fail(std::move(error)); }

void Connection::fail(std::string error) {
  reusable_ = false;
  const bool left = exchange_->first_byte_at.has_value();
  // Another attempt may follow: this one must not arrive behind it, when the network heals.
  if (left) stream_.forget_unsent();
  end({.fate = left ? Fate::unknown : exchange_->unsent(), .error = std::move(error)});
}

void Connection::end(Ending ending) {
  if (!reusable_) close();
  Exchange& exchange = *std::exchange(exchange_, nullptr);
  exchange.connection = nullptr;
  idle_since_ = shared_.loop.now();
  kept_ = {};  // a long header has its memory for as long as it is read
  shared_.owner.on_ended(*this, exchange, std::move(ending));
}

void Connection::close() {
  state_ = State::closed;
  shared_.loop.cancel(*this);
  dialer_.stop();
  stream_.close();
}

}  // namespace cronally::net
