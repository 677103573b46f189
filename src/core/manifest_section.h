// One object of a manifest while it is read: takes fields by name and type, and notes each fault
// at its JSON pointer instead of stopping at the first. Used by the manifest's readers.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/result.h"
#include "base/time.h"

namespace cronally::core {

using Faults = std::vector<FieldError>;
using Words = std::span<const std::string_view>;

// "a, b or c".
std::string list_words(Words words, std::string_view last = "or");

template <class T>
struct Range {
  T min;
  T max;
};

class Section {
 public:
  // All three must outlive the section. `pointer` is the object's own.
  Section(const boost::json::object& object, std::string pointer, Faults& faults)
      : object_(object), pointer_(std::move(pointer)), faults_(faults) {}

  // Notes every field that is neither `known` nor read-only; the latter with their own words.
  void allow(Words known, Words read_only = {});

  // nullptr when the field is missing or null.
  const boost::json::value* find(std::string_view name) const;

  // Each gives nullopt when the field is missing, null, or at fault (which is then noted).
  std::optional<std::string> text(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, Range<std::int64_t> range);
  std::optional<Duration> duration(std::string_view name, Range<Duration> range);
  std::optional<std::size_t> choice(std::string_view name, Words words);
  // Of words that belong to a later version it is said so.
  std::optional<std::size_t> choice(std::string_view name, Words words, Words later);
  const boost::json::object* object(std::string_view name);

  void fault(std::string_view name, std::string detail);
  std::string pointer_of(std::string_view name) const;
  Faults& faults() { return faults_; }

 private:
  const boost::json::object& object_;
  std::string pointer_;
  Faults& faults_;
};

}  // namespace cronally::core
