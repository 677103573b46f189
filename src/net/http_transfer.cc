#include "net/http_transfer.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "net/egress.h"
#include "runtime/clock.h"

namespace cronally::net {
namespace {

// An answer's header, interim answers included, may be so long; curl itself has no limit on the
// number of 1xx answers.
constexpr std::size_t answer_header_max = 256 * 1024;

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK, "libcurl lacks an option we rely on");
}

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool sends_body(const HttpRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

long ms_of(Duration length) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(length).count();
  return static_cast<long>(std::max<std::int64_t>(ms, 1));
}

}  // namespace

Transfer::Transfer(const HttpClientOptions& options, const runtime::Clock& clock,
                   TransferCounters& counters)
    : options_(options), clock_(clock), counters_(counters), easy_(curl_easy_init()) {
  CHECK(easy_ != nullptr, "curl_easy_init failed");
  set_fixed_options();
}

Transfer::~Transfer() { curl_easy_cleanup(easy_); }

bool Transfer::reusable() const {
  constexpr unsigned fixed_in = 0x080000;
  static const bool fixed = curl_version_info(CURLVERSION_NOW)->version_num >= fixed_in;
  return fixed || header_bytes_ == 0;
}

Transfer& Transfer::of(CURL* easy) {
  char* self = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  return *reinterpret_cast<Transfer*>(self);
}

void Transfer::set_fixed_options() {
  set(easy_, CURLOPT_PRIVATE, this);
  set(easy_, CURLOPT_ERRORBUFFER, error_buffer_);
  set(easy_, CURLOPT_NOSIGNAL, 1L);
  set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy_, CURLOPT_PATH_AS_IS, 1L);  // a URL goes out as it was written
  set(easy_, CURLOPT_PROXY, "");       // not even from the environment
  set(easy_, CURLOPT_NOPROXY, "*");
  set(easy_, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(easy_, CURLOPT_TCP_NODELAY, 1L);
  set(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_file.empty()) set(easy_, CURLOPT_CAINFO, options_.ca_file.c_str());
  // Without it, giving up on a name that does not resolve joins getaddrinfo's thread, and one
  // dead name server stops every delivery of the process.
  set(easy_, CURLOPT_QUICK_EXIT, 1L);
  // Servers close idle connections after 60 s or more, mostly; a connection that was closed
  // meanwhile is noticed, one that closes at this very moment costs an attempt of unknown fate.
  set(easy_, CURLOPT_MAXAGE_CONN, 55L);
  set(easy_, CURLOPT_BUFFERSIZE, 8192L);  // one per handle; answers are short
  set(easy_, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);

  set(easy_, CURLOPT_PREREQDATA, this);
  set(
      easy_, CURLOPT_PREREQFUNCTION, +[](void* self, char*, char*, int, int) -> int {
        return static_cast<Transfer*>(self)->may_start() ? CURL_PREREQFUNC_OK
                                                         : CURL_PREREQFUNC_ABORT;
      });
  set(easy_, CURLOPT_OPENSOCKETDATA, this);
  set(
      easy_, CURLOPT_OPENSOCKETFUNCTION,
      +[](void* self, curlsocktype, curl_sockaddr* address) -> curl_socket_t {
        return static_cast<Transfer*>(self)->open_socket(*address);
      });
  set(easy_, CURLOPT_HEADERDATA, this);
  set(
      easy_, CURLOPT_HEADERFUNCTION,
      +[](char* bytes, std::size_t size, std::size_t count, void* self) -> std::size_t {
        return static_cast<Transfer*>(self)->take_header({bytes, size * count});
      });
  set(easy_, CURLOPT_WRITEDATA, this);
  set(
      easy_, CURLOPT_WRITEFUNCTION,
      +[](char* bytes, std::size_t size, std::size_t count, void* self) -> std::size_t {
        return static_cast<Transfer*>(self)->take_body(bytes, size * count);
      });
}

bool Transfer::begin(Submission submission, std::shared_ptr<const HttpSink> sink) {
  submission_ = std::move(submission);
  if (!submission_.gate) submission_.gate = std::make_shared<SendGate>();
  sink_ = std::move(sink);
  malformed_ = started_ = withdrawn_ = repeated_ = refused_ = header_whole_ = cut_off_ = false;
  header_bytes_ = body_bytes_ = 0;
  socket_error_ = 0;
  body_.clear();
  first_byte_at_.reset();
  error_buffer_[0] = '\0';
  const HttpRequest& request = submission_.request;
  malformed_ = !set_header_lines() || !is_token(request.method) || has_control(request.url);
  if (malformed_) return false;
  set_method_and_body();
  set(easy_, CURLOPT_URL, request.url.c_str());
  set(easy_, CURLOPT_TIMEOUT_MS, ms_of(request.timeout));
  set(easy_, CURLOPT_CONNECTTIMEOUT_MS, ms_of(std::min(request.timeout, options_.connect_timeout)));
  set(easy_, CURLOPT_FRESH_CONNECT, request.fresh_connection ? 1L : 0L);
  return true;
}

// False when a field cannot be a header line. "Name:" would remove a header of curl's own, so an
// empty value is written "Name;".
bool Transfer::set_header_lines() {
  lines_.clear();
  std::vector<std::size_t> starts;
  const auto add = [&](std::string_view name, std::string_view separator, std::string_view value) {
    starts.push_back(lines_.size());
    lines_.append(name).append(separator).append(value).append(1, '\0');
  };
  const HttpRequest& request = submission_.request;
  starts.reserve(request.headers.size() + 3);
  bool typed = false;
  bool named = false;
  for (const HttpHeader& field : request.headers) {
    if (!is_token(field.name) || has_control(field.value)) return false;
    typed |= equal_names(field.name, "content-type");
    named |= equal_names(field.name, "user-agent");
    add(field.name, field.value.empty() ? ";" : ": ", field.value);
  }
  if (!named && !options_.user_agent.empty()) add("User-Agent", ": ", options_.user_agent);
  add("Expect", ":", "");
  if (!typed) add("Content-Type", ":", "");
  fields_.resize(starts.size());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    fields_[i] = {lines_.data() + starts[i], i + 1 < starts.size() ? &fields_[i + 1] : nullptr};
  }
  set(easy_, CURLOPT_HTTPHEADER, fields_.data());
  return true;
}

void Transfer::set_method_and_body() {
  const HttpRequest& request = submission_.request;
  set(easy_, CURLOPT_HTTPGET, 1L);  // forgets what the last request was
  set(easy_, CURLOPT_CUSTOMREQUEST, static_cast<const char*>(nullptr));
  if (sends_body(request)) {
    set(easy_, CURLOPT_POSTFIELDS, request.body.data());
    set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    if (request.method != "POST") set(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method == "HEAD") {
    set(easy_, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    set(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

// ---- What libcurl asks ------------------------------------------------------------------------

// Right before the request is written. The second time it is libcurl's own repeat on a reused
// connection that closed without an answer: the first may have been carried out.
bool Transfer::may_start() {
  if (started_) {
    repeated_ = true;
    ++counters_.repeats_prevented;
    return false;
  }
  const bool allowed = !submission_.request.may_send || submission_.request.may_send();
  if (allowed && submission_.gate->start()) {
    started_ = true;
    first_byte_at_ = clock_.wall();
    return true;
  }
  withdrawn_ = submission_.gate->withdraw();
  CHECK(withdrawn_, "a gate serves one attempt only");
  return false;
}

curl_socket_t Transfer::open_socket(const curl_sockaddr& address) {
  if (!egress_allowed(&address.addr)) {
    refused_ = true;
    return CURL_SOCKET_BAD;
  }
  ++counters_.connections;
  const int fd = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  socket_error_ = fd < 0 ? errno : 0;
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

// Called for each line. When the connection closes amid a header, libcurl calls that a success.
std::size_t Transfer::take_header(std::string_view line) {
  if (line.starts_with("HTTP/")) header_whole_ = false;
  if (line == "\r\n" || line == "\n") header_whole_ = true;
  header_bytes_ += line.size();
  return header_bytes_ > answer_header_max ? 0 : line.size();
}

std::size_t Transfer::take_body(const char* bytes, std::size_t size) {
  body_bytes_ += size;
  body_.append(bytes, std::min(size, response_kept_max - body_.size()));
  cut_off_ = body_bytes_ > response_read_max;
  return cut_off_ ? 0 : size;
}

// ---- What became of it ------------------------------------------------------------------------

// libcurl takes "HTTP/200 OK" for an answer, whose status is 0.
int Transfer::status() const {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

Fate Transfer::fate_of(CURLcode code) const {
  if (withdrawn_) return Fate::withdrawn;
  const bool whole = header_whole_ && status() != 0;
  if (whole && (code == CURLE_OK || cut_off_)) return Fate::answered;
  return started_ ? Fate::unknown : Fate::not_sent;
}

std::string Transfer::error_of(CURLcode code) const {
  const HttpRequest& request = submission_.request;
  if (withdrawn_) return "withdrawn before the first byte left";
  if (malformed_) return "the method, URL or a header holds a character that HTTP does not allow";
  if (repeated_) return "the connection closed before an answer came";
  if (refused_ && code == CURLE_COULDNT_CONNECT) {
    return "the address is link-local or a cloud's metadata service; deliveries never go there";
  }
  if (socket_error_ != 0 && code == CURLE_COULDNT_CONNECT) {
    return fmt::format("no socket: {}; raise the limit of open files",
                       std::strerror(socket_error_));
  }
  if (header_bytes_ > answer_header_max) return "the answer's header is too long";
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return fmt::format("timed out after {} ms{}", ms_of(request.timeout),
                       started_ ? " without a complete answer" : ", before anything was sent");
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) return "the server stopped before an answer came";
  if (code == CURLE_OK && header_whole_) return "the answer has no status: it is not HTTP";
  if (code == CURLE_OK) return "the connection closed within the answer's header";
  const std::string text = error_buffer_[0] != '\0' ? error_buffer_ : curl_easy_strerror(code);
  return text.substr(0, text.find_first_of("\r\n"));
}

Finished Transfer::finish(CURLcode code) {
  Finished out{.tag = submission_.tag, .subtag = submission_.subtag, .result = {}};
  HttpResult& result = out.result;
  result.fate = fate_of(code);
  result.first_byte_at = first_byte_at_;
  result.ended_at = clock_.wall();
  if (result.fate == Fate::answered) {
    result.status = status();
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &seconds);
    // Beyond a year is a mistake of the receiver's; the cap keeps the arithmetic sane.
    if (seconds > 0)
      result.retry_after = std::chrono::seconds{std::min<curl_off_t>(seconds, 31536000)};
    result.body = std::move(body_);
    result.truncated = body_bytes_ > response_kept_max;
  } else {
    result.error = error_of(code);
  }
  submission_ = {};
  sink_.reset();
  return out;
}

}  // namespace cronally::net
