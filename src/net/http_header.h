// Header fields of an HTTP message, shared by server and clients.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cronally::net {

struct HttpHeader {
  std::string name;
  std::string value;
  friend bool operator==(const HttpHeader&, const HttpHeader&) = default;
};

// Fields in the order in which they came. Names compare without case (RFC 9110 §5.1).
class HttpHeaders {
 public:
  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<HttpHeader> fields) : fields_(fields) {}

  void add(std::string name, std::string value);

  // The value of the first field of this name.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<HttpHeader> fields_;
};

// ASCII letters compared without case.
bool equal_names(std::string_view a, std::string_view b);

}  // namespace cronally::net
