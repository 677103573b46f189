#include "delivery/sns_deliverer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/percent.h"
#include "base/text.h"
#include "core/aws_answer.h"
#include "core/manifest.h"
#include "core/template.h"
#include "delivery/attempt_texts.h"
#include "delivery/http_deliverer.h"
#include "runtime/clock.h"

namespace cronally::delivery {
namespace {

// AWS takes five minutes; a difference below this is the request's time on its way.
constexpr Duration skew_min = std::chrono::minutes{1};

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr const char* content_type = "application/x-www-form-urlencoded; charset=utf-8";

const core::SnsTarget& target_of(const Delivery& delivery) {
  return std::get<core::SnsTarget>(delivery.definition->target);
}

std::string message_of(const core::SnsTarget& target, const AttemptTexts& texts) {
  if (!target.message) return default_body(texts);
  const core::Place place =
      looks_like_json(*target.message) ? core::Place::json : core::Place::text;
  return core::render(*target.message, texts.values, place);
}

// A job's name may be longer than what SNS takes.
std::string cut_to_chars(std::string text, std::size_t max) {
  std::size_t at = 0;
  for (std::size_t chars = 0; at < text.size() && chars < max; ++chars)
    at += std::max<std::size_t>(utf8_length(std::string_view(text).substr(at)), 1);
  text.resize(std::min(at, text.size()));
  return text;
}

class Attributes {
 public:
  explicit Attributes(Fields& fields) : fields_(fields) {}

  void add(std::string_view name, std::string_view type, std::string value) {
    const std::string entry = fmt::format("MessageAttributes.entry.{}.", ++count_);
    fields_.emplace_back(entry + "Name", name);
    fields_.emplace_back(entry + "Value.DataType", type);
    fields_.emplace_back(entry + "Value.StringValue", std::move(value));
  }

 private:
  Fields& fields_;
  int count_ = 0;
};

void add_attributes(const core::SnsTarget& target, const AttemptTexts& texts, Fields& fields) {
  Attributes attributes(fields);
  attributes.add("Cronally-Run", "String", texts.values.run_id);
  attributes.add("Cronally-Job", "String", texts.values.job_id);
  attributes.add("Cronally-Scheduled-At", "String", texts.values.scheduled_at);
  attributes.add("Cronally-Attempt", "Number", texts.values.attempt);
  attributes.add("Cronally-Fence", "Number", texts.fence);
  for (const core::SnsAttribute& attribute : target.message_attributes) {
    if (const auto* text = std::get_if<std::string>(&attribute.value))
      attributes.add(attribute.name, "String",
                     core::render(*text, texts.values, core::Place::text));
    else
      attributes.add(attribute.name, "Number",
                     std::to_string(std::get<std::int64_t>(attribute.value)));
  }
}

void add_group(const core::SnsTarget& target, const AttemptTexts& texts, Fields& fields) {
  const bool fifo = core::is_fifo_topic(target.topic_arn);
  if (target.message_group_id)
    fields.emplace_back("MessageGroupId",
                        core::render(*target.message_group_id, texts.values, core::Place::url));
  else if (fifo)
    fields.emplace_back("MessageGroupId", texts.values.job_id);
  if (fifo) fields.emplace_back("MessageDeduplicationId", texts.values.run_id);
}

// The key that the job brings; its secret is the target's only one.
std::optional<core::AwsCredentials> own_credentials(const Delivery& delivery) {
  const auto& own = target_of(delivery).credentials;
  if (!own) return std::nullopt;
  CHECK(delivery.secret_headers && delivery.secret_headers->size() == 1,
        "the secrets of a target come with its delivery");
  return core::AwsCredentials{own->access_key_id, delivery.secret_headers->front().value, {}};
}

core::AttemptEnded unsent(const Delivery& delivery, std::string why, Instant at) {
  const bool withdrawn = delivery.gate && delivery.gate->state() == SendGate::State::withdrawn;
  return {delivery.run_no,
          delivery.attempt,
          {.fate = withdrawn ? core::Fate::withdrawn : core::Fate::not_sent,
           .error = std::move(why),
           .ended_at = at}};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> compose_publish(const Delivery& delivery,
                                                                 Instant at) {
  const core::SnsTarget& target = target_of(delivery);
  const AttemptTexts texts = attempt_texts(delivery, at);
  Fields fields{{"Action", "Publish"},
                {"Version", "2010-03-31"},
                {"TopicArn", target.topic_arn},
                {"Message", message_of(target, texts)}};
  if (target.subject)
    fields.emplace_back("Subject",
                        cut_to_chars(core::render(*target.subject, texts.values, core::Place::text),
                                     core::sns_subject_chars_max));
  add_group(target, texts, fields);
  add_attributes(target, texts, fields);
  return fields;
}

core::AttemptResult publish_result_of(net::HttpResult&& result) {
  core::AttemptResult out = attempt_result_of(std::move(result));
  if (out.fate != core::Fate::answered) return out;
  if (out.status / 100 == 2) {
    if (core::xml_text(out.response, {"PublishResult", "MessageId"})) return out;
    out.error = fmt::format("HTTP {} without a MessageId: this is no answer of SNS", out.status);
    out.fate = core::Fate::unknown;
    out.status = 0;
    return out;
  }
  const core::AwsError error = core::read_aws_error(out.response);
  out.error = core::aws_error_text(error, out.status);
  // A proxy or a wrong endpoint may say anything; only AWS's own word is final.
  const bool told = !error.code.empty();
  if (told && core::aws_remedy(error, out.status) != core::AwsRemedy::wait)
    out.repeat = core::Repeat::never;
  return out;
}

void SnsDeliverer::deliver(std::vector<Delivery> batch, Sink sink) {
  std::vector<net::Submission> ready;
  const AwsCredentialsStore::Issue issue = parts_.credentials.find();
  for (Delivery& delivery : batch) {
    const Duration timeout = target_of(delivery).timeout;
    if (const auto own = own_credentials(delivery))
      ready.push_back(submission_of(std::move(delivery), *own, 0, timeout));
    else if (issue)
      ready.push_back(
          submission_of(std::move(delivery), issue->credentials, issue->number, timeout));
    else
      wait_for_credentials(std::move(delivery), sink);
  }
  if (!ready.empty()) parts_.client.submit(std::move(ready), http_sink_of(std::move(sink)));
}

void SnsDeliverer::wait_for_credentials(Delivery&& delivery, Sink sink) {
  const SteadyInstant until = parts_.clock.steady() + target_of(delivery).timeout;
  auto waiting = std::make_shared<Delivery>(std::move(delivery));
  parts_.credentials.wait(until, [this, until, waiting, sink = std::move(sink)](
                                     Result<AwsCredentialsStore::Issue> issue) {
    const Duration left = until - parts_.clock.steady();
    if (issue && left > Duration::zero()) {
      std::vector<net::Submission> ready;
      ready.push_back(
          submission_of(std::move(*waiting), (*issue)->credentials, (*issue)->number, left));
      return parts_.client.submit(std::move(ready), http_sink_of(sink));
    }
    std::string why = issue ? "no credentials for AWS came in time" : issue.error().message;
    std::vector<core::AttemptEnded> ended;
    ended.push_back(unsent(*waiting, std::move(why), parts_.clock.wall()));
    (*sink)(std::move(ended));
  });
}

net::Submission SnsDeliverer::submission_of(Delivery&& delivery,
                                            const core::AwsCredentials& credentials,
                                            std::uint64_t issue, Duration timeout) {
  const core::SnsTarget& target = target_of(delivery);
  const std::string region = core::region_of(target);
  const std::string url = parts_.endpoints.url("sns", region) + "/";
  const core::UrlParts parts = core::url_parts(url);
  const Instant now = parts_.clock.wall();
  const std::string body = form_encode(compose_publish(delivery, now));
  core::AwsRequest to_sign{.path = parts.path,
                           .headers = {{"Host", parts.host}, {"Content-Type", content_type}},
                           .body = body};
  net::HttpRequest request{
      .url = url,
      .body = body,
      .timeout = timeout,
      .fresh_connection = delivery.definition->delivery == core::DeliveryMode::at_most_once,
      .may_send = std::move(delivery.may_send)};
  std::lock_guard lock(mutex_);
  const auto known = clock_offsets_.find(url);
  const Duration offset = known == clock_offsets_.end() ? Duration::zero() : known->second;
  const Instant at = now + offset;
  core::sign_aws(to_sign, credentials, {region, "sns"}, at, keyring_);
  for (core::Header& header : to_sign.headers)
    request.headers.push_back({std::move(header.name), std::move(header.value)});
  const std::uint64_t tag = next_tag_++;
  sent_.emplace(tag, Sent{delivery.run_no, delivery.attempt, issue, at, offset, url});
  return {.tag = tag,
          .request = parts_.client.written(std::move(request)),
          .gate = std::move(delivery.gate)};
}

std::shared_ptr<const net::HttpSink> SnsDeliverer::http_sink_of(Sink sink) {
  std::lock_guard lock(mutex_);
  if (sink_ == sink) return http_sink_;
  http_sink_ =
      std::make_shared<const net::HttpSink>([this, sink](std::vector<net::Finished>&& batch) {
        std::vector<core::AttemptEnded> ended;
        ended.reserve(batch.size());
        for (net::Finished& each : batch) ended.push_back(ended_of(std::move(each)));
        (*sink)(std::move(ended));
      });
  sink_ = std::move(sink);
  return http_sink_;
}

core::AttemptEnded SnsDeliverer::ended_of(net::Finished&& finished) {
  Sent sent;
  {
    std::lock_guard lock(mutex_);
    const auto found = sent_.extract(finished.tag);
    sent = std::move(found.mapped());
  }
  core::AttemptResult result = publish_result_of(std::move(finished.result));
  if (result.repeat == core::Repeat::never)
    result.repeat = repeat_of(core::read_aws_error(result.response), result.status, sent);
  return {sent.run, sent.attempt, std::move(result)};
}

core::Repeat SnsDeliverer::repeat_of(const core::AwsError& error, int status, const Sent& sent) {
  switch (core::aws_remedy(error, status)) {
    case core::AwsRemedy::wait: return core::Repeat::by_policy;
    case core::AwsRemedy::none: return core::Repeat::never;
    case core::AwsRemedy::credentials:
      if (sent.issue == 0) return core::Repeat::never;
      return parts_.credentials.refused(sent.issue) ? core::Repeat::at_once
                                                    : core::Repeat::by_policy;
    case core::AwsRemedy::clock: break;
  }
  // What AWS shows more than the time that was signed, which was ours and what it had shown before.
  const auto more = core::aws_clock_offset(error.message, sent.signed_at);
  if (!more) return core::Repeat::never;
  if (std::chrono::abs(*more) < skew_min) return core::Repeat::by_policy;
  std::lock_guard lock(mutex_);
  clock_offsets_[sent.url] = sent.clock_offset + *more;
  return core::Repeat::at_once;
}

}  // namespace cronally::delivery
