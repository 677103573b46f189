#include "base/hmac.h"

#include <gtest/gtest.h>

namespace cronally {
namespace {

std::string sha_hex(std::string_view bytes) { return hex(as_bytes(sha256(bytes))); }
std::string hmac_hex(std::string_view key, std::string_view message) {
  return hex(as_bytes(hmac_sha256(key, message)));
}

// FIPS 180-4 examples.
TEST(Hash, MatchesThePublishedDigests) {
  EXPECT_EQ(sha_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// RFC 4231 §4.2, §4.3, §4.7.
TEST(Hmac, MatchesTheVectorsOfTheRfc) {
  EXPECT_EQ(hmac_hex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      hmac_hex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, AcceptsAnEmptyKeyAndAnEmptyMessage) {
  const char* expected = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
  EXPECT_EQ(hmac_hex("", ""), expected);
  EXPECT_EQ(hmac_hex({}, {}), expected);
}

TEST(Hex, IsLowerCaseWithLeadingZeros) {
  EXPECT_EQ(hex(std::string_view{"\x00\x0f\xf0\xff", 4}), "000ff0ff");
  EXPECT_EQ(hex(""), "");
}

struct Row {
  std::string bytes;
  const char* standard;
  const char* url;
};

// RFC 4648 §10, and bytes that use the last two letters of the alphabets.
TEST(Base64, MatchesTheVectorsOfTheRfc) {
  const Row rows[] = {
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {"\xfb\xef\xff", "++//", "--__"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(base64(row.bytes), row.standard);
    EXPECT_EQ(base64url(row.bytes), row.url);
    EXPECT_EQ(base64_decode(row.standard), row.bytes);
    EXPECT_EQ(base64url_decode(row.url), row.bytes);
  }
}

TEST(Base64, AcceptsMissingPaddingAndNothingElse) {
  EXPECT_EQ(base64_decode("Zg"), "f");
  EXPECT_EQ(base64_decode("Zm8"), "fo");
  for (const char* text : {"Z", "Zg=", "Zg===", "Zm8==", "Zm9v=", "Zm9v====", "====", "=",
                           "==", "Z=g=", "Zg==Zg==", " Zg==", "Zg==\n", "Zm9v\n", "Zm 8", "--__",
                           "Zh==", "Zm9", "Zm9="}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

TEST(Base64, TheUrlFormHasNoPadding) {
  for (const char* text : {"Zg==", "++//", "Zh", "Z", "Zg\n"}) {
    EXPECT_FALSE(base64url_decode(text)) << text;
  }
}

TEST(Base64, EveryByteSurvives) {
  std::string bytes;
  for (int i = 0; i < 1024; ++i) {
    EXPECT_EQ(base64_decode(base64(bytes)), bytes);
    EXPECT_EQ(base64url_decode(base64url(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST(ConstantTime, ComparesContentAndLength) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_constant_time("secret", "secre"));
  EXPECT_FALSE(equal_constant_time("", "a"));
}

}  // namespace
}  // namespace cronally
