// The log: one line per event on stderr, as text or as JSON.
//
//   log::info("scheduler", "run ended", {{"job", job_id}, {"run", run_id}, {"lateness", late}});
//   2026-12-01T09:00:00.003Z INFO  scheduler: run ended job=0193… run=0193… lateness=3ms
//
// Area and message are constants of the code; what varies goes into fields, so that lines can be
// counted and searched. Control characters and invalid UTF-8 are escaped: nobody can forge a line.
// A Secret does not compile. Any thread; a line is written whole.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/secret.h"
#include "base/time.h"

namespace cronally::runtime::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

// Made implicitly from what fields hold. Instants are written as RFC 3339, durations as "1h30m".
class Value {
 public:
  Value(std::string_view text) : text_(text), quoted_(true) {}
  Value(const std::string& text) : text_(text), quoted_(true) {}
  Value(const char* text) : text_(text), quoted_(true) {}
  Value(bool yes) : text_(yes ? "true" : "false") {}
  Value(double number);
  Value(Instant at);
  Value(Duration length);
  Value(const Uuid& id) : text_(format_uuid(id)), quoted_(true) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Value(T number) : text_(std::to_string(number)) {}
  template <class Tag>
  Value(const StrongId<Tag>& id) : Value(id.value) {}
  template <class Tag>
  Value(const StrongNo<Tag>& no) : Value(no.value) {}
  template <class T>
  Value(const Secret<T>&) = delete;

  const std::string& text() const { return text_; }
  bool quoted() const { return quoted_; }  // a JSON string, not a number or a boolean

 private:
  std::string text_;
  bool quoted_ = false;
};

// Keys are snake_case constants; not "at", "level", "area" or "message".
struct Field {
  std::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

void debug(std::string_view area, std::string_view message, Fields fields = {});
void info(std::string_view area, std::string_view message, Fields fields = {});
void warning(std::string_view area, std::string_view message, Fields fields = {});
void error(std::string_view area, std::string_view message, Fields fields = {});

// What is written, from now on; info and text until then.
void configure(Level lowest, Format format);

// Whether a level is written: guards the making of expensive fields.
bool enabled(Level level);

// For tests: while it lives, lines go to `sink` (without the line's end) instead of stderr.
class Capture {
 public:
  explicit Capture(std::function<void(std::string_view)> sink);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
};

// The line itself; pure.
struct Event {
  Instant at;
  Level level;
  std::string_view area;
  std::string_view message;
};
std::string format_line(const Event& event, Fields fields, Format format);

}  // namespace cronally::runtime::log
