// One HTTP exchange that blocks: the command line's client of our own API, and what fetches a
// server's credentials. Unlike deliveries it may honour proxy variables (net/http_proxy.h; not for
// loopback), and no address is refused to it: nothing that a job says leads here.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/http_header.h"

namespace cronally::net {

struct Call {
  std::string method = "GET";
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
  Duration timeout = std::chrono::seconds{30};  // for all of it; zero: none (a backup's download)
  bool proxies = true;                          // honour proxy variables
};

struct CallAnswer {
  int status = 0;
  HttpHeaders headers;
  std::string body;
};

// Error "server_unreachable": nothing listens, no such host, TLS failed, timed out, or the answer
// broke off; the message names the URL and the reason. Any status is an answer.
Result<CallAnswer> call(const Call& request);

// The same, with a 2xx body written to `file` (created 0600; must not exist), synced to disk
// before it returns; any other answer's body is in CallAnswer, and the file is removed, as after
// an error. Error "cannot_write" names the file and the reason.
Result<CallAnswer> download(const Call& request, const std::string& file);

}  // namespace cronally::net
