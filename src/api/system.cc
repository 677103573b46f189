// Health, metrics, the OpenAPI document and the backup.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "api/handlers.h"
#include "api/pages.h"
#include "api/query.h"
#include "base/text.h"
#include "runtime/files.h"
#include "runtime/random.h"

namespace cronally::api {
namespace {

// A copy of the database that vanishes with the last use of it.
class BackupFile {
 public:
  BackupFile(store::Database& database, const std::filesystem::path& scratch) {
    const std::filesystem::path path =
        scratch / ("backup-" + format_uuid(runtime::random_uuid_v4()) + ".tmp");
    try {
      database.backup(path.string());
    } catch (...) {
      ::unlink(path.c_str());
      throw;
    }
    fd_ = runtime::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ::unlink(path.c_str());
    if (!fd_) throw Unavailable("the copy of the database cannot be read; see the server's log");
  }

  bool read(std::string& chunk) {
    constexpr std::size_t chunk_bytes = 256 * 1024;
    chunk.resize(chunk_bytes);
    ssize_t got = 0;
    do {
      got = ::read(fd_.get(), chunk.data(), chunk.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw std::system_error(errno, std::generic_category(), "reading the backup");
    chunk.resize(static_cast<std::size_t>(got));
    return got > 0;
  }

 private:
  runtime::Fd fd_;
};

}  // namespace

Answer backup(Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  const std::unique_lock one(call.shared.backup_mutex, std::try_to_lock);
  if (!one) return fail("backup_running", "another backup is being made; try again in a minute");
  auto file = std::make_shared<BackupFile>(call.deps().database, call.deps().scratch);
  net::Response response{200,
                         {{"Content-Type", "application/vnd.sqlite3"},
                          {"Content-Disposition", "attachment; filename=\"cronally-backup.db\""},
                          {"Cache-Control", "no-store"}},
                         {}};
  response.stream = [file](std::string& chunk) { return file->read(chunk); };
  return response;
}

Answer livez(Call&) { return text_page(200, "ok\n"); }

Answer readyz(Call& call) {
  static constexpr std::array<std::string_view, 1> known{"verbose"};
  const Result<Query> query = Query::parse(call.request.query, known);
  if (!query) return fail(query.error());
  return readyz_page(call.deps().health, query->find("verbose").has_value());
}

Answer readyz_check(Call& call) {
  for (const runtime::HealthItem& item : call.deps().health.readiness().items)
    if (item.name == call.params[0]) return text_page(item.ok ? 200 : 503, line_of(item));
  return fail("not_found",
              "no check " + quote(call.params[0]) + "; GET /readyz?verbose lists them");
}

Answer metrics(Call& call) { return metrics_page(call.deps().metrics, call.deps().health); }

Answer openapi(Call&) { return openapi_page(); }

}  // namespace cronally::api
