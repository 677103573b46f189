#include "net/http_call.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/check.h"

namespace cronally::net {
namespace {

// The answers of our own API are far smaller; a list of 1,000 runs is a few MiB.
constexpr std::size_t answer_max = 256u << 20;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

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

// One exchange: the answer as it comes.
struct Exchange {
  CURL* easy = nullptr;
  NewFile* file = nullptr;  // takes the body of a 2xx
  CallAnswer answer;
};

int status_of(CURL* easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  std::string_view line{bytes, size * count};
  auto& answer = static_cast<Exchange*>(self)->answer;
  if (line.starts_with("HTTP/")) answer.headers = {};  // those before were an interim answer's
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with('\n') || value.ends_with('\r')) value.remove_suffix(1);
    answer.headers.add(std::string{line.substr(0, colon)}, std::string{value});
  }
  return size * count;
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  const std::string_view chunk{bytes, size * count};
  if (exchange.file != nullptr && status_of(exchange.easy) / 100 == 2) {
    return exchange.file->write(chunk) ? chunk.size() : 0;
  }
  std::string& body = exchange.answer.body;
  if (body.size() + chunk.size() > answer_max) return 0;
  body += chunk;
  return chunk.size();
}

// Proxies are for the way out of a host, not for a server on it.
bool is_loopback(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  std::string_view host = url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  return host.starts_with("127.") || host.starts_with("[::1]") ||
         host.substr(0, host.find(':')) == "localhost";
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK, "libcurl lacks an option we rely on");
}

void set_options(Exchange& exchange, const Call& request, char* error) {
  CURL* const easy = exchange.easy;
  set(easy, CURLOPT_ERRORBUFFER, error);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set(easy, CURLOPT_TCP_NODELAY, 1L);
  set(easy, CURLOPT_URL, request.url.c_str());
  if (is_loopback(request.url)) set(easy, CURLOPT_PROXY, "");
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(request.timeout).count();
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(ms));
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(ms > 0 ? std::min(ms, 10'000L) : 10'000L));
  set(easy, CURLOPT_HEADERDATA, &exchange);
  set(easy, CURLOPT_HEADERFUNCTION, &take_header);
  set(easy, CURLOPT_WRITEDATA, &exchange);
  set(easy, CURLOPT_WRITEFUNCTION, &take_body);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
      request.method == "PATCH") {
    set(easy, CURLOPT_POSTFIELDS, request.body.data());
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  if (request.method == "HEAD") {
    set(easy, CURLOPT_NOBODY, 1L);
  } else {
    set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

std::unique_ptr<curl_slist, ListDeleter> header_list(const Call& request) {
  std::unique_ptr<curl_slist, ListDeleter> list;
  const auto add = [&](const std::string& line) {
    curl_slist* const grown = curl_slist_append(list.get(), line.c_str());
    CHECK(grown != nullptr, "out of memory");
    (void)list.release();
    list.reset(grown);
  };
  add("Expect:");
  for (const HttpHeader& field : request.headers) {
    add(field.value.empty() ? field.name + ";" : field.name + ": " + field.value);
  }
  return list;
}

Result<CallAnswer> exchange_with(const Call& request, NewFile* file) {
  for (const HttpHeader& field : request.headers) {
    if (field.value.find_first_of("\r\n") != std::string::npos) {
      return fail("invalid_header", fmt::format("the header {} holds a line break", field.name));
    }
  }
  const std::unique_ptr<CURL, EasyDeleter> easy{curl_easy_init()};
  CHECK(easy != nullptr, "curl_easy_init failed");
  Exchange exchange{.easy = easy.get(), .file = file, .answer = {}};
  char error[CURL_ERROR_SIZE] = {};
  set_options(exchange, request, error);
  const auto headers = header_list(request);
  set(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(easy.get());
  if (file != nullptr && file->failed()) return fail(file->error());
  if (code != CURLE_OK) {
    return fail("server_unreachable",
                fmt::format("cannot reach {}: {}; is the server running, and is its address right?",
                            request.url, error[0] != '\0' ? error : curl_easy_strerror(code)));
  }
  exchange.answer.status = status_of(easy.get());
  return std::move(exchange.answer);
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
