#include "delivery/http_deliverer.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/hmac.h"
#include "base/percent.h"
#include "core/template.h"
#include "delivery/attempt_texts.h"
#include "runtime/clock.h"

namespace cronally::delivery {
namespace {

// W3C Trace Context: one trace a run, one parent an attempt, sampled; both derived, so that a
// receiver's trace leads back to the run.
std::string traceparent(const AttemptTexts& texts) {
  std::string trace = texts.values.run_id;
  std::erase(trace, '-');
  const Sha256 digest = sha256(trace + '/' + texts.values.attempt);
  return fmt::format(FMT_COMPILE("00-{}-{}-01"), trace, hex(as_bytes(digest).substr(0, 8)));
}

bool takes_default_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

bool contains_name(std::string_view text, std::string_view part) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return !std::ranges::search(text, part, {}, lower).empty();
}

std::string_view content_type_of(const core::HttpTarget& target) {
  for (const core::Header& field : target.headers) {
    if (net::equal_names(field.name, "content-type")) return field.value;
  }
  if (!target.body || looks_like_json(*target.body)) return "application/json";
  return "text/plain; charset=utf-8";
}

core::Place place_of(std::string_view content_type) {
  if (contains_name(content_type, "json")) return core::Place::json;
  if (contains_name(content_type, "x-www-form-urlencoded")) return core::Place::form;
  return core::Place::text;
}

// Names that are ours, or net's, whatever the job says.
bool is_reserved(std::string_view name) {
  constexpr std::array<std::string_view, 16> reserved{"webhook-id",
                                                      "webhook-timestamp",
                                                      "webhook-signature",
                                                      "idempotency-key",
                                                      "cronally-run",
                                                      "cronally-job",
                                                      "cronally-job-name",
                                                      "cronally-scheduled-at",
                                                      "cronally-attempt",
                                                      "cronally-fence",
                                                      "traceparent",
                                                      "content-length",
                                                      "connection",
                                                      "transfer-encoding",
                                                      "expect",
                                                      "host"};
  return std::ranges::any_of(reserved,
                             [&](std::string_view ours) { return net::equal_names(ours, name); });
}

bool has_header(const std::vector<net::HttpHeader>& headers, std::string_view name) {
  return std::ranges::any_of(
      headers, [&](const net::HttpHeader& field) { return net::equal_names(field.name, name); });
}

// Who routes deliveries gives this deliverer HTTP targets only.
const core::HttpTarget& target_of(const Delivery& delivery) {
  return std::get<core::HttpTarget>(delivery.definition->target);
}

std::vector<net::HttpHeader> own_headers(const Delivery& delivery, const AttemptTexts& texts,
                                         std::string_view body) {
  const core::TemplateValues& values = texts.values;
  std::vector<net::HttpHeader> out;
  out.reserve(16 + target_of(delivery).headers.size());
  out.push_back({"webhook-id", values.run_id});
  out.push_back({"Idempotency-Key", values.run_id});
  out.push_back({"Cronally-Run", values.run_id});
  out.push_back({"Cronally-Job", values.job_id});
  out.push_back({"Cronally-Job-Name", percent_encode(values.job_name)});
  out.push_back({"Cronally-Scheduled-At", values.scheduled_at});
  out.push_back({"Cronally-Attempt", values.attempt});
  out.push_back({"Cronally-Fence", texts.fence});
  out.push_back({"webhook-timestamp", fmt::format_int(texts.timestamp).str()});
  if (delivery.signing_key) {
    out.push_back({"webhook-signature",
                   core::sign(*delivery.signing_key, values.run_id, texts.timestamp, body)});
  }
  out.push_back({"traceparent", traceparent(texts)});
  return out;
}

// The job's headers with placeholders, then its secret ones, which are sent as they are.
void add_job_headers(const Delivery& delivery, const AttemptTexts& texts,
                     std::vector<net::HttpHeader>& out) {
  for (const core::Header& field : target_of(delivery).headers) {
    if (is_reserved(field.name)) continue;
    out.push_back({field.name, core::render(field.value, texts.values, core::Place::header)});
  }
  if (!delivery.secret_headers) return;
  for (const SecretHeaderValue& field : *delivery.secret_headers) {
    if (!is_reserved(field.name)) out.push_back({field.name, field.value.reveal()});
  }
}

core::Fate fate_of(net::Fate fate) {
  switch (fate) {
    case net::Fate::answered: return core::Fate::answered;
    case net::Fate::not_sent: return core::Fate::not_sent;
    case net::Fate::unknown: return core::Fate::unknown;
    case net::Fate::withdrawn: return core::Fate::withdrawn;
  }
  return core::Fate::unknown;
}

}  // namespace

net::HttpRequest compose_http(const Delivery& delivery, Instant at, const std::string& user_agent) {
  const core::HttpTarget& target = target_of(delivery);
  const AttemptTexts texts = attempt_texts(delivery, at);
  const std::string_view content_type = content_type_of(target);
  net::HttpRequest out;
  out.method = target.method;
  out.url = core::render(target.url, texts.values, core::Place::url);
  if (target.body) {
    out.body = core::render(*target.body, texts.values, place_of(content_type));
  } else if (takes_default_body(target.method)) {
    out.body = default_body(texts);
  }
  out.headers = own_headers(delivery, texts, out.body);
  std::vector<net::HttpHeader> of_job;
  add_job_headers(delivery, texts, of_job);
  if (!has_header(of_job, "user-agent")) out.headers.push_back({"User-Agent", user_agent});
  if (!out.body.empty() && !has_header(of_job, "content-type")) {
    out.headers.push_back({"Content-Type", std::string{content_type}});
  }
  std::ranges::move(of_job, std::back_inserter(out.headers));
  out.timeout = target.timeout;
  out.fresh_connection = delivery.definition->delivery == core::DeliveryMode::at_most_once;
  return out;
}

core::AttemptResult attempt_result_of(net::HttpResult&& result) {
  return {.fate = fate_of(result.fate),
          .status = result.status,
          .retry_after = result.retry_after,
          .error = std::move(result.error),
          .response = std::move(result.body),
          .first_byte_at = result.first_byte_at,
          .ended_at = result.ended_at};
}

HttpDeliverer::HttpDeliverer(HttpDelivererOptions options, net::HttpClient& client,
                             const runtime::Clock& clock)
    : options_(std::move(options)), client_(client), clock_(clock) {}

std::shared_ptr<const net::HttpSink> HttpDeliverer::http_sink_of(
    std::shared_ptr<const DeliverySink> sink) {
  std::lock_guard lock{mutex_};
  if (sink_ == sink) return http_sink_;
  http_sink_ = std::make_shared<const net::HttpSink>([sink](std::vector<net::Finished>&& batch) {
    std::vector<core::AttemptEnded> ended;
    ended.reserve(batch.size());
    for (net::Finished& each : batch) {
      ended.push_back({RunNo{static_cast<std::int64_t>(each.tag)},
                       static_cast<std::int32_t>(each.subtag),
                       attempt_result_of(std::move(each.result))});
    }
    (*sink)(std::move(ended));
  });
  sink_ = std::move(sink);
  return http_sink_;
}

void HttpDeliverer::deliver(std::vector<Delivery> batch, std::shared_ptr<const DeliverySink> sink) {
  std::vector<net::Submission> submissions;
  submissions.reserve(batch.size());
  const Instant at = clock_.wall();
  for (Delivery& delivery : batch) {
    net::HttpRequest request = compose_http(delivery, at, options_.user_agent);
    request.may_send = std::move(delivery.may_send);
    submissions.push_back({.tag = static_cast<std::uint64_t>(delivery.run_no.value),
                           .subtag = static_cast<std::uint32_t>(delivery.attempt),
                           .request = client_.written(std::move(request)),
                           .gate = std::move(delivery.gate)});
  }
  client_.submit(std::move(submissions), http_sink_of(std::move(sink)));
}

}  // namespace cronally::delivery
