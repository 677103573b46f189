// Seals secrets for the database, so that a copy of it reveals none without master.key.
//
// XChaCha20-Poly1305 (libsodium) with a random nonce. A sealed value is
//   version 0x01 | key id, 4 bytes | nonce, 24 bytes | ciphertext and tag, length + 16 bytes
// and everything before the ciphertext, together with a context such as "secret|<id>", is
// authenticated: a sealed value that is moved to another row does not open there.
//
// master.key holds 32 random bytes, mode 0600. Losing it loses every sealed secret.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace cronally::runtime {

// Whether a missing master.key may be made. An existing database without its key must refuse:
// a new key would make its secrets unreadable without a word.
enum class MissingKey { create, refuse };

// Movable. The const methods may be called from any thread.
class Vault {
 public:
  // Reads the key, or creates it: whole or not at all, synced to disk, never over another file.
  // Codes: "master_key_missing", "master_key_unsafe" (others may read it, or it belongs to another
  // user), "master_key_damaged" (not 32 bytes), "file_error".
  static Result<Vault> open_or_create(const std::filesystem::path& key_file, MissingKey missing);

  // The bytes to store (a blob). Sealing the same value twice gives different bytes.
  std::string seal(std::string_view context, const SecretText& plain) const;

  // Codes: "master_key_wrong" (sealed under another key) and "secret_damaged" (changed, cut, or
  // sealed for another context). Neither message holds anything of the value.
  Result<SecretText> open(std::string_view context, std::string_view sealed) const;

  // A text that tells this key from others and nothing else about it: store it beside the data at
  // creation, and at each start give it to verify(). Code "master_key_wrong".
  std::string key_check() const;
  Result<void> verify(std::string_view stored_key_check) const;

 private:
  struct KeyDeleter {
    void operator()(unsigned char* key) const noexcept;
  };
  using Key = std::unique_ptr<unsigned char, KeyDeleter>;  // guarded, locked memory

  Vault(Key key, std::string key_check);
  static Result<Vault> open_existing(const std::filesystem::path& key_file);

  Key key_;
  std::string key_check_;  // 16 bytes, raw
};

}  // namespace cronally::runtime
