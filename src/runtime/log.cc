#include "runtime/log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>

#include "base/text.h"
#include "runtime/clock.h"

namespace cronally::runtime::log {
namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view level_name(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "error";
}

std::string_view level_column(Level level) {
  switch (level) {
    case Level::debug: return "DEBUG";
    case Level::info: return "INFO ";
    case Level::warning: return "WARN ";
    case Level::error: return "ERROR";
  }
  return "ERROR";
}

// Hands lines to stderr, or to a test.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  using Receive = std::function<void(std::string_view)>;

  Receive exchange(Receive receive) {
    std::lock_guard lock{mutex_};
    return std::exchange(receive_, std::move(receive));
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view line{message.payload.data(), message.payload.size()};
    if (receive_) return receive_(line);
    // One write(2) for each line, so that lines of several processes do not mix.
    const std::string out = std::string{line} + '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, out.data(), out.size());
  }
  void flush_() override {}

 private:
  Receive receive_;
};

struct State {
  SystemClock clock;
  std::atomic<Format> format{Format::text};
  std::shared_ptr<LineSink> sink = std::make_shared<LineSink>();
  spdlog::logger logger{"cronally", sink};
};

// Never destroyed: threads and destructors may log until the very end.
State& state() {
  static State* const only = new State;
  return *only;
}

void write(Level level, std::string_view area, std::string_view message, Fields fields) {
  State& s = state();
  if (!s.logger.should_log(spdlog_level(level))) return;
  const Event event{s.clock.wall(), level, area, message};
  const std::string line = format_line(event, fields, s.format.load(std::memory_order_relaxed));
  s.logger.log(spdlog_level(level), spdlog::string_view_t{line.data(), line.size()});
}

// The inside of a JSON string (RFC 8259 §7), which serves text lines as well: control characters,
// C1 too, are escaped, invalid UTF-8 becomes U+FFFD, and a very long text is cut.
std::string escaped(std::string_view text) {
  constexpr std::size_t text_max = 4096;  // a line stays one that tools can carry
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\\ufffd";
    } else if (text[0] == '"' || text[0] == '\\') {
      out += {'\\', text[0]};
    } else if (text[0] == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04x}", byte);
    } else if (byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[1]));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
    if (out.size() >= text_max && !text.empty()) return out + "...";
  }
  return out;
}

// A field of a text line stands as it is when no reader can mistake its end.
bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c == ' ' || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

}  // namespace

Value::Value(double number) : text_(fmt::format("{}", number)) {
  // JSON has no infinities (RFC 8259 §6).
  quoted_ = text_.find_first_of("in") != std::string::npos;
}
Value::Value(Instant at) : text_(format_instant(at)), quoted_(true) {}
Value::Value(Duration length) : text_(format_duration(length)), quoted_(true) {}

void debug(std::string_view area, std::string_view message, Fields fields) {
  write(Level::debug, area, message, fields);
}
void info(std::string_view area, std::string_view message, Fields fields) {
  write(Level::info, area, message, fields);
}
void warning(std::string_view area, std::string_view message, Fields fields) {
  write(Level::warning, area, message, fields);
}
void error(std::string_view area, std::string_view message, Fields fields) {
  write(Level::error, area, message, fields);
}

void configure(Level lowest, Format format) {
  state().logger.set_level(spdlog_level(lowest));
  state().format.store(format, std::memory_order_relaxed);
}

bool enabled(Level level) { return state().logger.should_log(spdlog_level(level)); }

Capture::Capture(std::function<void(std::string_view)> sink) {
  state().sink->exchange(std::move(sink));
}
Capture::~Capture() { state().sink->exchange(nullptr); }

namespace {

std::string text_line(const Event& event, Fields fields) {
  std::string line =
      fmt::format("{} {} {}: {}", format_instant(event.at), level_column(event.level),
                  escaped(event.area), escaped(event.message));
  for (const auto& field : fields) {
    const std::string text = escaped(field.value.text());
    if (needs_quotes(text)) {
      line += fmt::format(" {}=\"{}\"", field.key, text);
    } else {
      line += fmt::format(" {}={}", field.key, text);
    }
  }
  return line;
}

std::string json_line(const Event& event, Fields fields) {
  std::string line = fmt::format(R"({{"at":"{}","level":"{}","area":"{}","message":"{}")",
                                 format_instant(event.at), level_name(event.level),
                                 escaped(event.area), escaped(event.message));
  for (const auto& field : fields) {
    const std::string text = escaped(field.value.text());
    line += field.value.quoted() ? fmt::format(R"(,"{}":"{}")", field.key, text)
                                 : fmt::format(R"(,"{}":{})", field.key, text);
  }
  return line + "}";
}

}  // namespace

std::string format_line(const Event& event, Fields fields, Format format) {
  return format == Format::json ? json_line(event, fields) : text_line(event, fields);
}

}  // namespace cronally::runtime::log
