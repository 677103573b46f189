#include "core/signature.h"

#include <gtest/gtest.h>

#include "base/hmac.h"

namespace cronally::core {
namespace {

// The vector of npm standardwebhooks 1.1.1 (and of the specification's other libraries).
constexpr std::string_view secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::string_view body = R"({"test": 2432232314})";
constexpr std::string_view signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(Signature, MatchesTheOfficialVector) {
  const auto key = parse_signing_secret(secret);
  ASSERT_TRUE(key);
  EXPECT_EQ(sign(*key, id, 1614265330, body), signature);
  EXPECT_TRUE(verify(*key, id, "1614265330", body, signature));
}

TEST(Signature, EveryPartCounts) {
  const auto key = parse_signing_secret(secret).value();
  const auto other = parse_signing_secret(format_signing_secret(std::string(32, 'k'))).value();
  EXPECT_FALSE(verify(other, id, "1614265330", body, signature));
  EXPECT_FALSE(verify(key, "msg_x", "1614265330", body, signature));
  EXPECT_FALSE(verify(key, id, "1614265331", body, signature));
  EXPECT_FALSE(verify(key, id, "1614265330", "{}", signature));
  EXPECT_FALSE(verify(key, id, "1614265330", body, ""));
  EXPECT_FALSE(verify(key, id, "1614265330", body, "v1,"));
  EXPECT_FALSE(verify(key, id, "1614265330", body, signature.substr(3)));
}

TEST(Signature, OneRightSignatureAmongOthersIsEnough) {
  const auto key = parse_signing_secret(secret).value();
  const std::string header = "v1,AAAA v1a,BBBB " + std::string{signature} + " v2,x";
  EXPECT_TRUE(verify(key, id, "1614265330", body, header));
}

TEST(Signature, SecretsGoThereAndBack) {
  for (const std::size_t length : {24u, 32u, 64u}) {
    const std::string bytes(length, '\xa5');
    const auto key = parse_signing_secret(format_signing_secret(bytes));
    ASSERT_TRUE(key) << length;
    EXPECT_EQ(key->reveal(), bytes);
  }
}

TEST(Signature, RefusesWhatIsNoSecretWithoutQuotingIt) {
  for (const std::string& text : {
           std::string{},
           std::string{"whsec_"},
           std::string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
           std::string{"whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
           std::string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!"},
           format_signing_secret(std::string(23, 'k')),
           format_signing_secret(std::string(65, 'k')),
       }) {
    const auto key = parse_signing_secret(text);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, "invalid_signing_secret");
    EXPECT_EQ(key.error().message.find("MfKQ"), std::string::npos);
  }
}

}  // namespace
}  // namespace cronally::core
