// What every target tells of an attempt: the values of placeholders, and the body that stands for
// a job that brings none. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "core/template.h"
#include "delivery/deliverer.h"

namespace cronally::delivery {

struct AttemptTexts {
  core::TemplateValues values;
  std::string fence;
  std::int64_t timestamp = 0;  // whole seconds of the attempt
};

// `at`: the wall time of the attempt.
AttemptTexts attempt_texts(const Delivery& delivery, Instant at);

// {"type":"cronally.run","job":…,"run":…,"scheduled_at":…,"attempt":n}
std::string default_body(const AttemptTexts& texts);

// Begins with { or [.
bool looks_like_json(std::string_view body);

}  // namespace cronally::delivery
