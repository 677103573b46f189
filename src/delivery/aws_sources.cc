#include "delivery/aws_sources.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "runtime/files.h"

namespace cronally::delivery {
namespace {

constexpr std::size_t file_max = 1024 * 1024;
// Roles lead to roles; AWS's tools follow them as long as they like.
constexpr std::size_t profiles_deep_max = 10;

const std::string* setting(const core::AwsProfile& profile, std::string_view name) {
  const auto found = profile.find(name);
  return found == profile.end() || found->second.empty() ? nullptr : &found->second;
}

std::string setting_or(const core::AwsProfile& profile, std::string_view name,
                       std::string_view otherwise) {
  const std::string* const found = setting(profile, name);
  return found ? *found : std::string(otherwise);
}

core::AwsSession lasting(const std::string& id, const std::string& secret, std::string token) {
  return {{id, SecretText(secret), SecretText(std::move(token))}, std::nullopt};
}

// Of the two keys one alone is a mistake, and no reason to look elsewhere.
std::unexpected<Error> half(std::string_view id, std::string_view secret) {
  return fail("incomplete", fmt::format("of {} and {} only one is set", id, secret));
}

// A file that is not there has no profiles.
Result<core::AwsProfiles> read_one(const std::string& path, core::AwsFile kind) {
  if (path.empty()) return core::AwsProfiles{};
  const auto text = runtime::read_file(path, file_max);
  if (!text && text.error().code == "file_missing") return core::AwsProfiles{};
  if (!text) return fail("unreadable", text.error().message);
  auto profiles = core::read_aws_file(*text, kind);
  if (!profiles) return fail("unreadable", path + ": " + profiles.error().message);
  return profiles;
}

std::optional<std::string> unsupported(const core::AwsProfile& profile) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> settings{
      {{"credential_process", "starts a program"},
       {"sso_session", "needs a person to sign in"},
       {"sso_start_url", "needs a person to sign in"},
       {"login_session", "needs a person to sign in"}}};
  for (const auto& [name, why] : settings)
    if (setting(profile, name))
      return fmt::format("its {} {}, which Cronally does not; give keys or a role", name, why);
  return std::nullopt;
}

}  // namespace

core::AwsVariables aws_variables() {
  core::AwsVariables variables;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = std::min(text.find('='), text.size());
    const std::string_view name = text.substr(0, equals);
    if (equals < text.size() && (name.starts_with("AWS_") || name == "HOME"))
      variables.emplace(name, text.substr(equals + 1));
  }
  return variables;
}

AwsSources::AwsSources(AwsSourcesParts parts)
    : parts_(std::move(parts)),
      sts_(parts_.endpoints, parts_.call, parts_.clock),
      instance_(parts_.variables, parts_.call) {}

Result<FetchedCredentials> AwsSources::fetch() {
  std::string why;
  const auto ask = [&](const std::string& source, const Found& found) {
    if (!found)
      why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", source, found.error().message);
    return !found && found.error().code == "not_configured";
  };
  const std::string profile = "profile " + profile_name();
  const std::array<std::pair<std::string, std::function<Found()>>, 5> places{
      {{"environment", [this] { return from_environment(); }},
       {profile, [this] { return from_files(); }},
       {"web identity", [this] { return from_web_identity(); }},
       {"container", [this] { return container_credentials(parts_.variables, parts_.call); }},
       {"instance", [this] { return instance_.credentials(); }}}};
  for (const auto& [source, find] : places) {
    Found found = find();
    if (ask(source, found)) continue;
    if (!found) break;
    return FetchedCredentials{std::move(*found), source};
  }
  return fail("no_credentials", "no credentials for AWS: " + why);
}

AwsSources::Found AwsSources::from_environment() const {
  if (core::find_variable(parts_.variables, "AWS_PROFILE"))
    return fail("not_configured", "AWS_PROFILE is set");
  return keys_of_environment();
}

AwsSources::Found AwsSources::keys_of_environment() const {
  const auto find = [&](std::string_view name) {
    return core::find_variable(parts_.variables, name);
  };
  const std::string* const id = find("AWS_ACCESS_KEY_ID");
  const std::string* const secret = find("AWS_SECRET_ACCESS_KEY");
  if (!id && !secret) return fail("not_configured", "AWS_ACCESS_KEY_ID is not set");
  if (!id || !secret) return half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
  const std::string* const token = find("AWS_SESSION_TOKEN");
  return lasting(*id, *secret, token ? *token : "");
}

std::string AwsSources::profile_name() const {
  const std::string* const name = core::find_variable(parts_.variables, "AWS_PROFILE");
  return name ? *name : "default";
}

std::string AwsSources::path_of(std::string_view variable, std::string_view file) const {
  const std::string* const home = core::find_variable(parts_.variables, "HOME");
  const std::string* const path = core::find_variable(parts_.variables, variable);
  if (!path) return home ? *home + "/.aws/" + std::string(file) : std::string();
  return home && path->starts_with("~/") ? *home + path->substr(1) : *path;
}

Result<core::AwsProfiles> AwsSources::read_profiles() const {
  auto config = read_one(path_of("AWS_CONFIG_FILE", "config"), core::AwsFile::config);
  if (!config) return config;
  const auto credentials =
      read_one(path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials"), core::AwsFile::credentials);
  if (!credentials) return fail(credentials.error());
  return core::merge_aws_files(std::move(*config), *credentials);
}

AwsSources::Found AwsSources::from_files() {
  const auto profiles = read_profiles();
  if (!profiles) return fail(profiles.error());
  const std::string name = profile_name();
  if (!profiles->contains(name)) {
    const bool named = core::find_variable(parts_.variables, "AWS_PROFILE") != nullptr;
    return fail(named ? "no_profile" : "not_configured",
                fmt::format("neither {} nor {} has it",
                            path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
                            path_of("AWS_CONFIG_FILE", "config")));
  }
  std::vector<std::string> above;
  return from_profile(*profiles, name, above);
}

AwsSources::Found AwsSources::from_profile(const core::AwsProfiles& profiles,
                                           const std::string& name,
                                           std::vector<std::string>& above) {
  const auto found = profiles.find(name);
  if (found == profiles.end()) return fail("no_profile", "there is no profile " + quote(name));
  const core::AwsProfile& profile = found->second;
  // A profile may name itself: the role is assumed with the keys that stand beside it.
  const bool again = std::ranges::find(above, name) != above.end();
  if (setting(profile, "role_arn") && !again) return from_role(profiles, name, above);
  const std::string* const id = setting(profile, "aws_access_key_id");
  const std::string* const secret = setting(profile, "aws_secret_access_key");
  if (id && secret) return lasting(*id, *secret, setting_or(profile, "aws_session_token", ""));
  if (id || secret) return half("aws_access_key_id", "aws_secret_access_key");
  if (again) return fail("circle", "profiles name each other as source_profile in a circle");
  if (auto why = unsupported(profile)) return fail("unsupported", std::move(*why));
  return fail(above.empty() ? "not_configured" : "incomplete",
              fmt::format("profile {} holds no credentials", quote(name)));
}

AwsSources::Found AwsSources::from_role(const core::AwsProfiles& profiles, const std::string& name,
                                        std::vector<std::string>& above) {
  const core::AwsProfile& profile = profiles.at(name);
  above.push_back(name);
  if (above.size() > profiles_deep_max)
    return fail("circle", "more than 10 profiles lead from one to the next");
  if (setting(profile, "mfa_serial"))
    return fail("unsupported", "its role needs a code of a person (mfa_serial)");
  const AwsRole role{.arn = *setting(profile, "role_arn"),
                     .session_name = setting_or(profile, "role_session_name", "cronally"),
                     .external_id = setting_or(profile, "external_id", ""),
                     .duration_seconds = setting_or(profile, "duration_seconds", "")};
  if (const std::string* file = setting(profile, "web_identity_token_file"))
    return with_token_file(role, *file, region(&profile));
  const std::string* const source_profile = setting(profile, "source_profile");
  const std::string* const source = setting(profile, "credential_source");
  if (!source_profile == !source)
    return fail("incomplete",
                "a role_arn needs source_profile, credential_source or web_identity_token_file, "
                "and one of them alone");
  const Found as =
      source ? from_credential_source(*source) : from_profile(profiles, *source_profile, above);
  if (!as) return fail("role_failed", "for its role: " + as.error().message);
  return sts_.assume(role, as->credentials, region(&profile));
}

AwsSources::Found AwsSources::from_credential_source(const std::string& source) {
  if (source == "Environment") return keys_of_environment();
  if (source == "EcsContainer") return container_credentials(parts_.variables, parts_.call);
  if (source == "Ec2InstanceMetadata") return instance_.credentials();
  return fail("incomplete",
              "credential_source is Environment, EcsContainer or Ec2InstanceMetadata, not " +
                  quote(source));
}

AwsSources::Found AwsSources::from_web_identity() {
  const std::string* const file =
      core::find_variable(parts_.variables, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const std::string* const arn = core::find_variable(parts_.variables, "AWS_ROLE_ARN");
  if (!file) return fail("not_configured", "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  if (!arn) return fail("incomplete", "AWS_ROLE_ARN is not set");
  AwsRole role{.arn = *arn};
  if (const auto* name = core::find_variable(parts_.variables, "AWS_ROLE_SESSION_NAME"))
    role.session_name = *name;
  return with_token_file(role, *file, region(nullptr));
}

AwsSources::Found AwsSources::with_token_file(const AwsRole& role, const std::string& file,
                                              const std::string& region) {
  auto token = runtime::read_file(file, file_max);
  if (!token) return fail("unreadable", token.error().message);
  while (token->ends_with('\n') || token->ends_with('\r')) token->pop_back();
  return sts_.assume_with_token(role, *token, region);
}

std::string AwsSources::region(const core::AwsProfile* profile) const {
  if (profile)
    if (const std::string* own = setting(*profile, "region"); own && !core::region_fault(*own))
      return *own;
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (const auto* set = core::find_variable(parts_.variables, name);
        set && !core::region_fault(*set))
      return *set;
  return "us-east-1";
}

}  // namespace cronally::delivery
