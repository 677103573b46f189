// Secret<T>: a value that cannot be printed, logged or compared by accident.
#pragma once

#include <string>
#include <utility>

namespace cronally {

template <class T>
class Secret {
 public:
  Secret() = default;
  explicit Secret(T value) : value_(std::move(value)) {}
  // The one way out; grep for reveal() to see every place that handles the plain value.
  const T& reveal() const { return value_; }

 private:
  T value_{};
};

using SecretText = Secret<std::string>;

}  // namespace cronally
