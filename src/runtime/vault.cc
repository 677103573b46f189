#include "runtime/vault.h"

#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hmac.h"
#include "runtime/files.h"
#include "runtime/random.h"

namespace cronally::runtime {
namespace {

constexpr std::size_t key_size = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;     // 32
constexpr std::size_t nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;  // 24
constexpr std::size_t tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES;       // 16
constexpr std::size_t key_id_size = 4;
constexpr std::size_t header_size = 1 + key_id_size + nonce_size;
constexpr std::size_t key_check_size = 16;
constexpr char version = 1;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// A keyed BLAKE2b of a constant: tells keys apart, and reveals none.
std::string check_of(const unsigned char* key) {
  constexpr std::string_view message = "cronally master key check 1";
  std::string check(key_check_size, '\0');
  crypto_generichash(bytes_of(check), check.size(), bytes_of(message), message.size(), key,
                     key_size);
  return check;
}

std::string authenticated(std::string_view header, std::string_view context) {
  // The header has a fixed length, so that the two cannot be read in two ways.
  return std::string{header} + std::string{context};
}

Error wrong_key() {
  return {"master_key_wrong",
          "this value was sealed under another master key; restore the master.key that belongs "
          "to this database"};
}

Result<void> require_private(const std::filesystem::path& key_file) {
  struct stat status{};
  if (::stat(key_file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail("file_error", fmt::format("{} is not a regular file; restore the master key from "
                                          "your backup",
                                          key_file.string()));
  }
  if ((status.st_mode & 0077) != 0) {
    return fail("master_key_unsafe",
                fmt::format("the master key {0} can be opened by other users (mode {1:03o}); run: "
                            "chmod 600 {0}",
                            key_file.string(), status.st_mode & 0777));
  }
  // root's file is fine: systemd hands credentials over like that.
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fail("master_key_unsafe",
                fmt::format("the master key {} belongs to another user (uid {}); give it to the "
                            "user that runs cronally with chown",
                            key_file.string(), status.st_uid));
  }
  return {};
}

}  // namespace

void Vault::KeyDeleter::operator()(unsigned char* key) const noexcept { sodium_free(key); }

Vault::Vault(Key key, std::string key_check)
    : key_(std::move(key)), key_check_(std::move(key_check)) {}

Result<Vault> Vault::open_or_create(const std::filesystem::path& key_file, MissingKey missing) {
  require_sodium();
  auto vault = open_existing(key_file);
  if (vault || vault.error().code != "file_missing") return vault;
  if (missing == MissingKey::refuse) {
    return fail("master_key_missing",
                fmt::format("the master key {} is missing, and the secrets of this database can "
                            "be read with no other; restore it from your backup",
                            key_file.string()));
  }
  std::string fresh = random_bytes(key_size);
  const auto created = create_file(key_file, fresh);
  sodium_memzero(fresh.data(), fresh.size());
  // A file that appeared meanwhile is another process' key: use that one.
  if (!created && created.error().code != "file_exists") return fail(created.error());
  return open_existing(key_file);
}

Result<Vault> Vault::open_existing(const std::filesystem::path& key_file) {
  auto bytes = read_file(key_file, 4096);
  if (!bytes) return fail(bytes.error());
  if (auto safe = require_private(key_file); !safe) return fail(safe.error());
  if (bytes->size() != key_size) {
    return fail("master_key_damaged",
                fmt::format("the master key {} has {} bytes instead of {}; restore it from your "
                            "backup",
                            key_file.string(), bytes->size(), key_size));
  }
  Key key{static_cast<unsigned char*>(sodium_malloc(key_size))};
  CHECK(key != nullptr, "there is memory for a key");
  std::copy(bytes->begin(), bytes->end(), key.get());
  sodium_memzero(bytes->data(), bytes->size());
  sodium_mprotect_readonly(key.get());
  std::string check = check_of(key.get());
  return Vault{std::move(key), std::move(check)};
}

std::string Vault::seal(std::string_view context, const SecretText& plain) const {
  const std::string& text = plain.reveal();
  std::string sealed;
  sealed.reserve(header_size + text.size() + tag_size);
  sealed += version;
  sealed += key_check_.substr(0, key_id_size);
  sealed += random_bytes(nonce_size);
  const std::string aad = authenticated(sealed, context);
  sealed.resize(header_size + text.size() + tag_size);
  unsigned char* out = bytes_of(sealed);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + header_size, nullptr, bytes_of(text),
                                             text.size(), bytes_of(aad), aad.size(), nullptr,
                                             out + 1 + key_id_size, key_.get());
  return sealed;
}

Result<SecretText> Vault::open(std::string_view context, std::string_view sealed) const {
  const auto damaged = [] {
    return fail("secret_damaged",
                "a sealed secret was changed, cut or moved; set the secret again, or restore the "
                "database from a backup");
  };
  if (sealed.size() < header_size + tag_size || sealed[0] != version) return damaged();
  if (sealed.substr(1, key_id_size) != key_check_.substr(0, key_id_size)) {
    return fail(wrong_key());
  }
  const std::string aad = authenticated(sealed.substr(0, header_size), context);
  const std::string_view box = sealed.substr(header_size);
  std::string plain(box.size() - tag_size, '\0');
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      bytes_of(plain), nullptr, nullptr, bytes_of(box), box.size(), bytes_of(aad), aad.size(),
      bytes_of(sealed) + 1 + key_id_size, key_.get());
  if (opened != 0) return damaged();
  return SecretText{std::move(plain)};
}

std::string Vault::key_check() const { return base64url(key_check_); }

Result<void> Vault::verify(std::string_view stored_key_check) const {
  if (stored_key_check != key_check()) {
    return fail("master_key_wrong",
                "the file master.key is not the one this database was made with; restore the "
                "right one from your backup");
  }
  return {};
}

}  // namespace cronally::runtime
