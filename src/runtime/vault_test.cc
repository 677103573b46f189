#include "runtime/vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hmac.h"
#include "runtime/files.h"
#include "runtime/test_directory.h"

namespace cronally::runtime {
namespace {

using testing::HasSubstr;

class VaultTest : public testing::Test {
 protected:
  Vault make(const char* name = "master.key") {
    return std::move(*Vault::open_or_create(directory_ / name, MissingKey::create));
  }
  TestDirectory directory_;
};

TEST_F(VaultTest, OpensWhatItSealed) {
  const Vault vault = make();
  for (const std::string& value :
       {std::string{}, std::string{"whsec_abc"}, std::string(70000, '\0')}) {
    const std::string sealed = vault.seal("secret|1", SecretText{value});
    EXPECT_EQ(sealed.size(), value.size() + 45);
    const auto opened = vault.open("secret|1", sealed);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->reveal(), value);
  }
}

TEST_F(VaultTest, StillOpensAfterARestart) {
  const std::string sealed = make().seal("secret|1", SecretText{"value"});
  const auto again = Vault::open_or_create(directory_ / "master.key", MissingKey::refuse);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->open("secret|1", sealed)->reveal(), "value");
}

TEST_F(VaultTest, NeverSealsTheSameWay) {
  const Vault vault = make();
  const SecretText value{"value"};
  EXPECT_NE(vault.seal("c", value), vault.seal("c", value));
  EXPECT_EQ(vault.seal("c", value).find("value"), std::string::npos);
}

TEST_F(VaultTest, AChangeOfAnyByteIsSeen) {
  const Vault vault = make();
  const std::string sealed = vault.seal("secret|1", SecretText{"value"});
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 1;
    const auto opened = vault.open("secret|1", changed);
    ASSERT_FALSE(opened) << "byte " << i;
    const bool key_id = i >= 1 && i < 5;
    EXPECT_EQ(opened.error().code, key_id ? "master_key_wrong" : "secret_damaged");
  }
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    EXPECT_FALSE(vault.open("secret|1", sealed.substr(0, length))) << length;
  }
  EXPECT_FALSE(vault.open("secret|1", sealed + "x"));
}

TEST_F(VaultTest, AValueMovedToAnotherRowDoesNotOpen) {
  const Vault vault = make();
  const std::string sealed = vault.seal("secret|1", SecretText{"value"});
  for (const char* context : {"secret|2", "secret|", "", "secret|11"}) {
    const auto opened = vault.open(context, sealed);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "secret_damaged");
  }
}

TEST_F(VaultTest, AnotherKeyIsToldFromDamage) {
  const Vault mine = make("a"), other = make("b");
  const auto opened = other.open("c", mine.seal("c", SecretText{"value"}));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "master_key_wrong");
  EXPECT_TRUE(mine.verify(mine.key_check()));
  EXPECT_NE(mine.key_check(), other.key_check());
  EXPECT_EQ(other.verify(mine.key_check()).error().code, "master_key_wrong");
  EXPECT_EQ(other.verify("").error().code, "master_key_wrong");
}

TEST_F(VaultTest, TheKeyFileIsPrivateAndAlone) {
  make();
  struct stat status{};
  ASSERT_EQ(::stat((directory_ / "master.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(status.st_size, 32);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{directory_.path()}, {}), 1);
}

TEST_F(VaultTest, TheCheckValueIsNotTheKey) {
  const Vault vault = make();
  const std::string key = *read_file(directory_ / "master.key", 100);
  EXPECT_EQ(base64url(key).find(vault.key_check()), std::string::npos);
  EXPECT_EQ(base64url_decode(vault.key_check())->size(), 16U);
}

TEST_F(VaultTest, AnExistingDatabaseWithoutItsKeyIsRefused) {
  const auto vault = Vault::open_or_create(directory_ / "master.key", MissingKey::refuse);
  ASSERT_FALSE(vault);
  EXPECT_EQ(vault.error().code, "master_key_missing");
  EXPECT_THAT(vault.error().message, HasSubstr("restore it"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "master.key"));
}

TEST_F(VaultTest, AKeyThatOthersCanReadIsRefused) {
  make();
  const auto path = directory_ / "master.key";
  for (const mode_t mode : {0640, 0604, 0620, 0601, 0644}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto vault = Vault::open_or_create(path, MissingKey::create);
    ASSERT_FALSE(vault);
    EXPECT_EQ(vault.error().code, "master_key_unsafe");
    EXPECT_THAT(vault.error().message, HasSubstr("chmod 600 " + path.string()));
  }
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  EXPECT_TRUE(Vault::open_or_create(path, MissingKey::create));
}

TEST_F(VaultTest, AKeyOfAnotherSizeIsRefusedAndKept) {
  const auto path = directory_ / "master.key";
  for (const std::size_t size : {0, 31, 33, 4096}) {
    ASSERT_TRUE(write_file_atomically(path, std::string(size, 'k')));
    const auto vault = Vault::open_or_create(path, MissingKey::create);
    ASSERT_FALSE(vault);
    EXPECT_EQ(vault.error().code, "master_key_damaged");
    EXPECT_THAT(vault.error().message, HasSubstr(std::to_string(size) + " bytes instead of 32"));
    EXPECT_EQ(std::filesystem::file_size(path), size);
  }
}

TEST_F(VaultTest, ADirectoryIsNoKey) {
  const auto vault = Vault::open_or_create(directory_.path(), MissingKey::create);
  ASSERT_FALSE(vault);
  EXPECT_EQ(vault.error().code, "file_error");
}

TEST_F(VaultTest, ADirectoryThatIsMissingIsNamed) {
  const auto vault = Vault::open_or_create(directory_ / "no/master.key", MissingKey::create);
  ASSERT_FALSE(vault);
  EXPECT_EQ(vault.error().code, "file_error");
  EXPECT_THAT(vault.error().message, HasSubstr("no/master.key"));
}

}  // namespace
}  // namespace cronally::runtime
