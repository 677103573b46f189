#include "core/aws_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <utility>
#include <vector>

#include "base/text.h"
#include "core/manifest.h"

namespace cronally::core {
namespace {

constexpr std::string_view destination_prefix = "aws:";
constexpr std::string_view fifo_suffix = ".fifo";
constexpr std::size_t topic_name_max = 256;  // SNS CreateTopic, "Name"

bool is_lower_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_topic_name(std::string_view name) {
  if (name.size() > topic_name_max) return false;
  if (name.ends_with(fifo_suffix)) name.remove_suffix(fifo_suffix.size());
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

std::vector<std::string_view> parts_of(std::string_view arn) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(arn, ':')) parts.emplace_back(part.begin(), part.end());
  return parts;
}

// What stands behind the region in the names of a partition, by how its regions begin. The last
// row holds for all others.
struct Partition {
  std::string_view region_prefix;
  std::string_view suffix;
  std::string_view dualstack_suffix;
};
constexpr std::array<Partition, 5> partitions{
    {{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
     {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
     {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
     {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
     {"", "amazonaws.com", "api.aws"}}};

const Partition& partition_of(std::string_view region) {
  return *std::ranges::find_if(partitions, [&](const Partition& partition) {
    return region.starts_with(partition.region_prefix);
  });
}

Result<std::string> endpoint_url(std::string_view variable, std::string url) {
  if (url_fault(url) || url.contains('?')) {
    return fail("invalid_endpoint",
                fmt::format("{} must be an http or https URL without user name, query and "
                            "fragment, not {}",
                            variable, quote(url)));
  }
  while (url.ends_with('/')) url.pop_back();
  const std::size_t path = std::min(url.find('/', url.find("://") + 3), url.size());
  for (std::size_t at = 0; at < path; ++at)
    if (url[at] >= 'A' && url[at] <= 'Z') url[at] = static_cast<char>(url[at] + 32);
  return url;
}

}  // namespace

const std::string* find_variable(const AwsVariables& variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() || found->second.empty() ? nullptr : &found->second;
}

bool is_on(const AwsVariables& variables, std::string_view name) {
  const std::string* const value = find_variable(variables, name);
  return value && std::ranges::equal(*value, std::string_view("true"),
                                     [](char a, char b) { return (a | 0x20) == b; });
}

std::optional<std::string> topic_fault(std::string_view arn) {
  const auto parts = parts_of(arn);
  const bool shaped = parts.size() == 6 && parts[0] == "arn" && is_lower_name(parts[1]) &&
                      parts[2] == "sns" && !region_fault(parts[3]) && parts[4].size() == 12 &&
                      std::ranges::all_of(parts[4], [](char c) { return c >= '0' && c <= '9'; }) &&
                      is_topic_name(parts[5]);
  if (shaped) return std::nullopt;
  return "is not a topic's ARN, such as arn:aws:sns:eu-west-1:123456789012:reports";
}

std::optional<std::string> region_fault(std::string_view region) {
  if (is_lower_name(region) && region.size() <= 63 && region.front() != '-' &&
      region.back() != '-') {
    return std::nullopt;
  }
  return "is not a region, such as eu-west-1";
}

std::string_view topic_region(std::string_view arn) { return parts_of(arn).at(3); }

bool is_fifo_topic(std::string_view arn) { return arn.ends_with(fifo_suffix); }

std::string region_of(const SnsTarget& target) {
  return target.region ? *target.region : std::string(topic_region(target.topic_arn));
}

std::string aws_destination(std::string_view service, std::string_view region) {
  return fmt::format("{}{}:{}", destination_prefix, service, region);
}

UrlParts url_parts(std::string_view url) {
  const std::size_t start = url.find("://") + 3;
  const std::size_t path = std::min(url.find('/', start), url.size());
  std::string host(url.substr(start, path - start));
  const std::string_view own_port = url.starts_with("https:") ? ":443" : ":80";
  if (host.ends_with(own_port)) host.resize(host.size() - own_port.size());
  return {std::move(host), path == url.size() ? "/" : std::string(url.substr(path))};
}

Result<AwsEndpoints> AwsEndpoints::of(const AwsVariables& variables) {
  AwsEndpoints endpoints;
  endpoints.fips_ = is_on(variables, "AWS_USE_FIPS_ENDPOINT");
  endpoints.dualstack_ = is_on(variables, "AWS_USE_DUALSTACK_ENDPOINT");
  if (is_on(variables, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) return endpoints;
  struct Variable {
    std::string_view name;
    std::string_view service;
  };
  constexpr std::array<Variable, 3> names{
      {{"AWS_ENDPOINT_URL", ""}, {"AWS_ENDPOINT_URL_SNS", "sns"}, {"AWS_ENDPOINT_URL_STS", "sts"}}};
  for (const auto& [name, service] : names) {
    const std::string* const value = find_variable(variables, name);
    if (!value) continue;
    auto url = endpoint_url(name, *value);
    if (!url) return fail(url.error());
    endpoints.urls_.emplace(service, std::move(*url));
  }
  return endpoints;
}

std::string AwsEndpoints::url(std::string_view service, std::string_view region) const {
  auto found = urls_.find(service);
  if (found == urls_.end()) found = urls_.find("");
  if (found != urls_.end()) return found->second;
  const Partition& partition = partition_of(region);
  return fmt::format("https://{}{}.{}.{}", service, fips_ ? "-fips" : "", region,
                     dualstack_ ? partition.dualstack_suffix : partition.suffix);
}

std::string AwsEndpoints::origin(std::string_view destination) const {
  if (!destination.starts_with(destination_prefix)) return std::string(destination);
  const std::string_view rest = destination.substr(destination_prefix.size());
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return std::string(destination);
  return destination_of(url(rest.substr(0, colon), rest.substr(colon + 1)));
}

}  // namespace cronally::core
