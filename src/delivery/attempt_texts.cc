#include "delivery/attempt_texts.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include "base/text.h"

namespace cronally::delivery {

AttemptTexts attempt_texts(const Delivery& delivery, Instant at) {
  const std::int64_t seconds =
      std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  return {.values = {.run_id = delivery.run.text(),
                     .job_id = delivery.job.text(),
                     .job_name = delivery.definition->name,
                     .scheduled_at = format_instant(delivery.scheduled_at),
                     .attempt = fmt::format_int(delivery.attempt).str()},
          .fence = fmt::format_int(delivery.fence.value).str(),
          .timestamp = seconds};
}

std::string default_body(const AttemptTexts& texts) {
  return fmt::format(
      FMT_COMPILE(
          R"({{"type":"cronally.run","job":"{}","run":"{}","scheduled_at":"{}","attempt":{}}})"),
      texts.values.job_id, texts.values.run_id, texts.values.scheduled_at, texts.values.attempt);
}

bool looks_like_json(std::string_view body) {
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (body[first] == '{' || body[first] == '[');
}

}  // namespace cronally::delivery
