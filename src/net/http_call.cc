#include "net/http_call.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "net/answer_reader.h"
#include "net/blocking_stream.h"
#include "net/http_proxy.h"
#include "net/http_url.h"
#include "net/request_writer.h"

namespace cronally::net {
namespace {

// The answers of our own API are far smaller; a list of 1,000 runs is a few MiB.
constexpr std::size_t answer_max = std::size_t{256} << 20;
// A backup may be as large as the disk.
constexpr std::size_t download_max = std::numeric_limits<std::size_t>::max();

// A file that appears only if everything went well.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd_ < 0) note_error();
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    if (!kept_) ::unlink(path_.c_str());
  }

  bool write(std::string_view bytes) {
    while (!bytes.empty() && error_ == 0) {
      const ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
      if (wrote >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
      } else if (errno != EINTR) {
        note_error();
      }
    }
    return error_ == 0;
  }

  // Synced, and its name too; then it stays.
  bool keep() {
    if (error_ == 0 && ::fsync(fd_) != 0) note_error();
    const std::size_t slash = path_.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const int at = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (error_ == 0 && (at < 0 || ::fsync(at) != 0)) note_error();
    if (at >= 0) ::close(at);
    kept_ = error_ == 0;
    return kept_;
  }

  bool failed() const { return error_ != 0; }
  Error error() const {
    return {"cannot_write", fmt::format("cannot write {}: {}{}", path_, std::strerror(error_),
                                        error_ == EEXIST ? "; choose another name" : "")};
  }

 private:
  void note_error() { error_ = errno; }

  std::string path_;
  int fd_ = -1;
  int error_ = 0;
  bool kept_ = false;
};

// What a request goes through and where to.
struct Route {
  HttpOrigin origin;
  std::optional<HttpProxy> proxy;
};

Result<Route> route_of(const Call& request) {
  auto origin = read_origin(origin_text(request.url));
  if (!origin) return fail(origin.error());
  auto proxy = proxy_for(*origin, [&](const char* name) -> const char* {
    return request.proxies ? std::getenv(name) : nullptr;
  });
  if (!proxy) return fail(proxy.error());
  return Route{std::move(*origin), std::move(*proxy)};
}

// The whole request. A proxy that is not only a tunnel is told the whole URL (RFC 9112 §3.2.2).
Result<std::string> wire_of(const Call& request, const Route& route) {
  HttpRequest out{.method = request.method,
                  .url = request.url,
                  .headers = request.headers,
                  .body = request.body};
  auto target = read_target(request.url);
  if (!target) return fail(target.error());
  if (route.proxy && !route.origin.tls) {
    target->insert(0, origin_text(request.url));
    if (!route.proxy->authorization.empty()) {
      out.headers.push_back({"Proxy-Authorization", route.proxy->authorization});
    }
  }
  return write_request(out, route.origin.host_header, *target, "");
}

// Reads until an answer is whole, or at its fault. `more` is called after each piece, and may take
// the body away; false ends it.
template <class More>
Result<void> read_answer(BlockingStream& stream, AnswerReader& reader, More more) {
  using State = AnswerReader::State;
  std::array<char, 64 * 1024> scratch;
  std::string kept;
  while (reader.state() == State::header || reader.state() == State::body) {
    const auto count = stream.read(scratch);
    if (!count) return fail(count.error());
    if (*count == 0) reader.end();
    kept.append(scratch.data(), *count);
    kept.erase(0, reader.take(kept));
    if (!more()) return {};
  }
  if (reader.state() == State::broken) return fail("unreachable", std::string{reader.fault()});
  return {};
}

// Asks a proxy for a way to the origin (RFC 9110 §9.3.6). What follows its header is the origin's.
Result<void> open_tunnel(BlockingStream& stream, const Route& route) {
  const HttpOrigin& origin = route.origin;
  const bool is_v6 = origin.host.contains(':');
  const std::string where =
      fmt::format("{}{}{}:{}", is_v6 ? "[" : "", origin.host, is_v6 ? "]" : "", origin.port);
  std::string wire = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", where);
  if (!route.proxy->authorization.empty()) {
    wire += fmt::format("Proxy-Authorization: {}\r\n", route.proxy->authorization);
  }
  if (auto wrote = stream.write(wire + "\r\n"); !wrote) return wrote;
  AnswerReader reader;
  reader.reset(true);
  if (auto read = read_answer(stream, reader, [] { return true; }); !read) return read;
  if (reader.status() / 100 == 2) return {};
  return fail("unreachable", fmt::format("the proxy answered {}", reader.status()));
}

Result<void> open(BlockingStream& stream, const Route& route) {
  if (!route.proxy) {
    auto connected = stream.connect(route.origin.host, route.origin.port);
    if (!connected || !route.origin.tls) return connected;
    return stream.start_tls(route.origin.host);
  }
  auto connected = stream.connect(route.proxy->host, route.proxy->port);
  if (!connected || !route.origin.tls) return connected;
  if (auto opened = open_tunnel(stream, route); !opened) return opened;
  return stream.start_tls(route.origin.host);
}

Result<CallAnswer> speak(const Call& request, NewFile* file) {
  const SigpipeGuard guard;
  const auto route = route_of(request);
  if (!route) return fail(route.error());
  const auto wire = wire_of(request, *route);
  if (!wire) return fail(wire.error());
  BlockingStream stream{request.timeout};
  if (auto opened = open(stream, *route); !opened) return fail(opened.error());
  // A server may answer and close before it has read everything: then the answer counts.
  const auto wrote = stream.write(*wire);
  AnswerReader reader{{.body_kept_max = answer_max,
                       .body_read_max = file != nullptr ? download_max : answer_max,
                       .keep_headers = true}};
  reader.reset(request.method == "HEAD");
  auto read = read_answer(stream, reader, [&] {
    const bool to_file = file != nullptr && reader.status() / 100 == 2;
    return !to_file || file->write(std::exchange(reader.body(), {}));
  });
  if (!read) return fail(wrote ? read.error() : wrote.error());
  if (reader.truncated()) return fail("unreachable", "its answer is too long");
  return CallAnswer{reader.status(), reader.headers(), std::move(reader.body())};
}

Result<CallAnswer> exchange_with(const Call& request, NewFile* file) {
  for (const HttpHeader& field : request.headers) {
    if (field.value.find_first_of("\r\n") != std::string::npos) {
      return fail("invalid_header", fmt::format("the header {} holds a line break", field.name));
    }
  }
  auto answer = speak(request, file);
  if (file != nullptr && file->failed()) return fail(file->error());
  if (answer) return answer;
  return fail("server_unreachable",
              fmt::format("cannot reach {}: {}; is the server running, and is its address right?",
                          request.url, answer.error().message));
}

}  // namespace

Result<CallAnswer> call(const Call& request) { return exchange_with(request, nullptr); }

Result<CallAnswer> download(const Call& request, const std::string& file) {
  NewFile target{file};
  if (target.failed()) return fail(target.error());
  auto answer = exchange_with(request, &target);
  if (answer && answer->status / 100 == 2 && !target.keep()) return fail(target.error());
  return answer;
}

}  // namespace cronally::net
