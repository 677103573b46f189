// Errors as values, for what a caller must choose on; see STYLE: outcome, outage, bug.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace cronally {

// One fault of an input, at its place: a JSON pointer ("/target/url"), or a column of a text.
struct FieldError {
  std::string pointer;
  std::string detail;
  friend bool operator==(const FieldError&, const FieldError&) = default;
};

// An outcome the caller must choose on. `code` is stable, snake_case and part of the API
// ("invalid_schedule", "name_taken"); `message` is one sentence for a person that names the place
// and the remedy. `fields` lists every fault found, when there are several.
struct Error {
  std::string code;
  std::string message;
  std::vector<FieldError> fields{};
  friend bool operator==(const Error&, const Error&) = default;
};

// An outage (database or network down): thrown, and caught only at the top of a supervised loop
// and at the HTTP border. The text says what is down and what is tried next. `code`, where given,
// is stable and part of the API, as an Error's is ("disk_full").
class Unavailable : public std::runtime_error {
 public:
  explicit Unavailable(const std::string& text, std::string code = "unavailable")
      : std::runtime_error(text), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

}  // namespace cronally
