#include "store/sqlite/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/files.h"

namespace cronally::store::sqlite {

// A file can have its length and no blocks; st_blocks counts units of 512 bytes (stat(2)).
bool Ballast::whole() const {
  struct stat status{};
  if (::stat(file_.c_str(), &status) != 0) return false;
  return status.st_size >= bytes_ && status.st_blocks * 512 >= bytes_;
}

bool Ballast::fill(std::int64_t spare) {
  if (whole()) return true;
  struct statvfs disk{};
  if (::statvfs(file_.parent_path().c_str(), &disk) != 0) return false;
  const auto free =
      static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
  if (free < bytes_ + spare) return false;
  const runtime::Fd file(::open(file_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (file && ::posix_fallocate(file.get(), 0, bytes_) == 0) return true;
  release();
  return false;
}

// Cut before it is unlinked: a process that has it open (a backup of the host) would otherwise
// keep the blocks.
void Ballast::release() {
  (void)::truncate(file_.c_str(), 0);
  (void)::unlink(file_.c_str());
}

}  // namespace cronally::store::sqlite
