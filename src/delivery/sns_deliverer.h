// Deliveries to topics of Amazon SNS: one Publish an attempt. What a message carries, and what the
// answers mean: docs/sns.md.
//
// Source: Amazon SNS API Reference, Publish (version 2010-03-31).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/aws_endpoint.h"
#include "core/aws_signature.h"
#include "delivery/aws_credentials.h"
#include "delivery/deliverer.h"
#include "net/http_client.h"

namespace cronally::runtime {
class Clock;
}

namespace cronally::delivery {

// The fields of Publish for one attempt, in order and not encoded; pure. `at` as in compose_http.
//
// Action, Version, TopicArn, Message, Subject (if there is one, cut to 99 characters),
// MessageGroupId (given, or the job's id where the topic is FIFO), MessageDeduplicationId (the
// run's id where it is FIFO), then the attributes: Cronally-Run, Cronally-Job,
// Cronally-Scheduled-At, Cronally-Attempt, Cronally-Fence and the job's own.
std::vector<std::pair<std::string, std::string>> compose_publish(const Delivery& delivery,
                                                                 Instant at);

// What an answer of SNS, or its absence, means for the attempt. Pure. `repeat` follows
// core::aws_remedy, with by_policy where AWS has no word in it; what new credentials and another
// clock make possible is the deliverer's to add. A 2xx without a MessageId is no answer of SNS, so
// what became of the message is not known.
core::AttemptResult publish_result_of(net::HttpResult&& result);

struct SnsDelivererParts {
  core::AwsEndpoints endpoints;
  net::HttpClient& client;
  AwsCredentialsStore& credentials;  // of the server, for jobs that bring none
  const runtime::Clock& clock;
};

// All that it is given must outlive it, and it must outlive the client's results and the callbacks
// of the credentials: end those first.
class SnsDeliverer : public Deliverer {
 public:
  explicit SnsDeliverer(SnsDelivererParts parts) : parts_(std::move(parts)) {}

  void deliver(std::vector<Delivery> batch, std::shared_ptr<const DeliverySink> sink) override;
  void end_withdrawn() override { parts_.client.end_withdrawn(); }

 private:
  using Sink = std::shared_ptr<const DeliverySink>;
  using OwnCredentials = std::shared_ptr<const core::AwsCredentials>;

  // What is remembered of a request until its answer.
  struct Sent {
    RunNo run;
    std::int32_t attempt = 1;
    std::uint64_t issue = 0;  // of the server's credentials; 0: the job's own
    Instant signed_at;
    Duration clock_offset{};  // with which it was signed
    std::string url;
  };

  void wait_for_credentials(Delivery&& delivery, Sink sink);
  net::Submission submission_of(Delivery&& delivery, const core::AwsCredentials& credentials,
                                std::uint64_t issue, Duration timeout);
  std::shared_ptr<const net::HttpSink> http_sink_of(Sink sink);
  core::AttemptEnded ended_of(net::Finished&& finished);
  core::Repeat repeat_of(const core::AwsError& error, int status, const Sent& sent);

  const SnsDelivererParts parts_;

  std::mutex mutex_;
  core::AwsKeyring keyring_;
  // By endpoint: what AWS's clock shows more than ours, once it has refused a signature for it.
  std::map<std::string, Duration, std::less<>> clock_offsets_;
  std::unordered_map<std::uint64_t, Sent> sent_;  // by tag
  std::uint64_t next_tag_ = 1;
  Sink sink_;  // one HttpSink for one DeliverySink, so that results of many calls arrive together
  std::shared_ptr<const net::HttpSink> http_sink_;
};

}  // namespace cronally::delivery
