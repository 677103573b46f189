#include "core/v1_signature.h"

#include <gtest/gtest.h>

#include <random>

#include "base/hmac.h"
#include "base/text.h"

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

constexpr const char* documented_secret = "h/Be+K0LvQxanvcabBL5Pjg3HL8g7CekNkG090he6rk=";
constexpr const char* date = "200601021504";

V1Key key_of(std::string_view secret) { return *parse_v1_secret(secret); }

struct Vector {
  const char* secret;
  const char* method;
  const char* path;
  const char* signature;
};

// The sample secret and date are those of the 2015 document; the signatures are those that the
// 2015 client computes.
const Vector vectors[] = {
    {documented_secret, "GET", "/account/", "cZB+B8398Tv7rxdnYzVNxzF9fs54B5hPmFFWwWP8Oqc="},
    {documented_secret, "POST", "/cronjob/", "NeSsgnFeUdGYbErJTgSgaebOZ9xM4PKJ7aqC8i8+OQg="},
    {documented_secret, "GET", "/cronjobs/", "pVFaw/5tngooq89ZUtKe8Z+GeVjc48lbm79p7J6gwfw="},
    {documented_secret, "DELETE", "/cronjob/37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e/",
     "PrwqmIVCVSo3uy70ElMMkCZlSvdPUjM8vypttGSAIV0="},
    {documented_secret, "PATCH", "/cronjob/37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e",
     "JMBjY2uEN+kwopMcjTIWv/Bhf4Iranjhi0m5+QbE6LA="},
    {"YWJj", "GET", "/account/", "LMAuiZvdBOqdTpWkpTrixeIQ0uWleg3eDPq3mBNDm+c="},
};

TEST(V1Signature, IsThatOf2015) {
  for (const Vector& one : vectors) {
    const V1Key key = key_of(one.secret);
    EXPECT_EQ(one.signature, sign_v1(key, one.path, one.method, date)) << one.path;
    EXPECT_TRUE(verify_v1(key, one.signature, v1_paths(one.path, ""), one.method, date))
        << one.path;
  }
}

TEST(V1Signature, IsTakenPaddedUnpaddedAndAsLowerCaseHex) {
  const V1Key key = key_of(documented_secret);
  const auto verify = [&](std::string_view signature) {
    return verify_v1(key, signature, {"/account/"}, "GET", date);
  };
  const std::string padded = vectors[0].signature;
  const std::string in_hex = hex(*base64_decode(padded));
  EXPECT_TRUE(verify(padded));
  EXPECT_TRUE(verify(padded.substr(0, 43)));
  EXPECT_TRUE(verify(in_hex));
  std::string upper = in_hex;
  for (char& c : upper) c = c >= 'a' ? static_cast<char>(c - 32) : c;
  for (const std::string& wrong :
       {upper, padded + "=", padded + "\n", " " + padded, in_hex.substr(2), in_hex + "00",
        padded.substr(0, 42), std::string(), std::string(44, '='), std::string(64, 'g'),
        std::string(64, '0'), base64(std::string(32, '\0')), std::string(100000, 'A')})
    EXPECT_FALSE(verify(wrong)) << wrong.substr(0, 80);
}

TEST(V1Signature, CoversPathMethodAndDate) {
  const V1Key key = key_of(documented_secret);
  const std::string good = sign_v1(key, "/cronjob/", "POST", date);
  EXPECT_TRUE(verify_v1(key, good, {"/cronjob/"}, "POST", date));
  EXPECT_FALSE(verify_v1(key, good, {"/cronjobs/"}, "POST", date));
  EXPECT_FALSE(verify_v1(key, good, {"/Cronjob/"}, "POST", date));
  EXPECT_FALSE(verify_v1(key, good, {"/cronjob/"}, "PATCH", date));
  EXPECT_FALSE(verify_v1(key, good, {"/cronjob/"}, "post", date));
  EXPECT_FALSE(verify_v1(key, good, {"/cronjob/"}, "POST", "200601021505"));
  EXPECT_FALSE(verify_v1(key_of("YWJj"), good, {"/cronjob/"}, "POST", date));
  EXPECT_FALSE(verify_v1(key, good, {}, "POST", date));
}

TEST(V1Signature, MayBeOverThePathWithItsSlashToggledOrItsBasePath) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ((Paths{"/account/", "/account"}), v1_paths("/account/", ""));
  EXPECT_EQ((Paths{"/account", "/account/"}), v1_paths("/account", ""));
  EXPECT_EQ((Paths{"/account/", "/cron/account/", "/cron/account", "/account"}),
            v1_paths("/account/", "/cron"));
  EXPECT_EQ((Paths{"/cron/account", "/account", "/account/", "/cron/account/"}),
            v1_paths("/cron/account", "/cron"));
  EXPECT_EQ((Paths{"/cronjobs/", "/cron/cronjobs/", "/cron/cronjobs", "/cronjobs"}),
            v1_paths("/cronjobs/", "/cron"));
  EXPECT_EQ((Paths{"/", ""}), v1_paths("/", ""));
}

TEST(V1Secret, IsBase64) {
  EXPECT_EQ("abc", key_of("YWJj").reveal());
  EXPECT_EQ(32U, key_of(documented_secret).reveal().size());
  EXPECT_EQ(32U, key_of(std::string(documented_secret, 43)).reveal().size());
  for (const char* wrong : {"", "=", "Y", "YWJj=", "YW Jj", "YWJj\n", "YW-_", "YWK"})
    EXPECT_FALSE(parse_v1_secret(wrong)) << wrong;
}

// One byte of a good request is changed, one is put in, or one is taken out. Texts that mean the
// same signature (its padding) are not among what must fail.
TEST(V1Signature, OfAHundredThousandMutationsNoneIsTaken) {
  std::mt19937_64 random(20150619);
  const auto below = [&](std::size_t count) { return static_cast<std::size_t>(random() % count); };
  const auto mutate = [&](std::string text) {
    const std::size_t at = below(text.size());
    switch (below(4)) {
      case 0: text[at] = static_cast<char>(text[at] ^ (1 << below(8))); break;
      case 1: text[at] = static_cast<char>(random()); break;
      case 2: text.insert(at, 1, static_cast<char>(random())); break;
      default: text.erase(at, 1);
    }
    return text;
  };
  int made = 0;
  for (int i = 0; made < 100'000; ++i) {
    const Vector& one = vectors[static_cast<std::size_t>(i) % std::size(vectors)];
    std::string parts[] = {one.signature, one.path, one.method, date, *base64_decode(one.secret)};
    const std::size_t part = below(2) == 0 ? 0 : below(std::size(parts));
    const std::string before = parts[part];
    parts[part] = mutate(before);
    const auto same = part == 0 ? base64_decode(parts[0]) : std::nullopt;
    const bool toggled = part == 1 && (parts[1] + "/" == before || parts[1] == before + "/");
    // The HTTP reader takes no method with a slash (RFC 9110 §9.1: a token), and with one the path
    // could end in the method.
    if (part == 2 && parts[2].contains('/')) continue;
    if (parts[part] == before || toggled || (same && same == base64_decode(before))) continue;
    ++made;
    ASSERT_FALSE(verify_v1(V1Key(parts[4]), parts[0], v1_paths(parts[1], ""), parts[2], parts[3]))
        << one.path << " part " << part << " as " << quote(parts[part]);
  }
}

TEST(V1Date, IsTwelveDigitsOfARealMinute) {
  EXPECT_EQ("2006-01-02T15:04:00Z", format_instant(*parse_v1_date(date)));
  EXPECT_EQ("2024-02-29T00:00:00Z", format_instant(*parse_v1_date("202402290000")));
  for (const char* wrong :
       {"", "2006010215", "20060102150405", "20060102T1504", "20060102T150400Z", "200601021504Z",
        "200613021504", "200600021504", "200601001504", "200601321504", "202302290000",
        "200601022400", "200601021560", "2006010215 4", "+20060102150", "２006010215"})
    EXPECT_FALSE(parse_v1_date(wrong)) << wrong;
}

TEST(V1Date, IsWrittenAsItIsRead) {
  EXPECT_EQ(date, format_v1_date(*parse_instant("2006-01-02T15:04:59.999Z")));
  EXPECT_EQ("202612312359", format_v1_date(*parse_instant("2026-12-31T23:59:00Z")));
}

TEST(V1Date, IsCurrentWhileItsMinuteIsNear) {
  const Instant now = *parse_instant("2026-11-27T10:30:59.999Z");
  const auto current = [&](std::string_view text) {
    return is_v1_date_current(*parse_v1_date(text), now, 5min);
  };
  EXPECT_TRUE(current("202611271030"));
  EXPECT_TRUE(current("202611271025"));
  EXPECT_TRUE(current("202611271035"));
  EXPECT_FALSE(current("202611271024"));
  EXPECT_FALSE(current("202611271036"));
  EXPECT_FALSE(current("200601021504"));
  EXPECT_FALSE(current("999912312359"));
  EXPECT_TRUE(is_v1_date_current(*parse_v1_date("202611271030"), now, 0min));
}

}  // namespace
}  // namespace cronally::core
