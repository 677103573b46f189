// A PostgreSQL server of the program's own, in a temporary directory, on loopback and a socket
// there; ended with the program.
#pragma once

#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "store/postgres/connection.h"
#include "tests/conformance/reserved_port.h"

namespace cronally::conformance {

class PostgresCluster {
 public:
  // That of the tests: made on first use, without fsync. Null where PostgreSQL is not installed
  // (Debian's package `postgresql`).
  static PostgresCluster* get() {
    static const std::unique_ptr<PostgresCluster> cluster =
        make({"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off"});
    return cluster.get();
  }

  // A new one, with these words of postgres(1)'s command line besides. Null as above.
  static std::unique_ptr<PostgresCluster> make(const std::vector<std::string>& settings) {
    if (find_programs().empty()) return nullptr;
    auto cluster = std::unique_ptr<PostgresCluster>(new PostgresCluster);
    cluster->make_directory();
    cluster->must_run({(find_programs() / "initdb").string(), "-D", cluster->data(), "-U",
                       "cronally", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"});
    cluster->start(settings);
    return cluster;
  }

  // A standby of this server, with a copy of its files and the same settings.
  std::unique_ptr<PostgresCluster> make_standby() const {
    auto standby = std::unique_ptr<PostgresCluster>(new PostgresCluster);
    standby->make_directory();
    standby->must_run({(find_programs() / "pg_basebackup").string(), "-D", standby->data(), "-R",
                       "-h", "127.0.0.1", "-p", std::to_string(port()), "-U", "cronally",
                       "--checkpoint=fast", "--no-sync"});
    standby->start(settings_);
    return standby;
  }
  void promote() { connect_to_any().execute("SELECT pg_promote(true, 30)"); }

  // From here on a COMMIT waits for a standby.
  enum class Standby {
    none,     // it does not, and those that wait are done
    any,      // which there is
    missing,  // for ever
  };
  void commit_with(Standby standby) {
    const std::string name = standby == Standby::none ? "" : standby == Standby::any ? "*" : "gone";
    auto db = connect("postgres");
    db.execute("ALTER SYSTEM SET synchronous_standby_names = '" + name + "'");
    db.execute("SELECT pg_reload_conf()");
    // The server's processes heed it one by one.
    while (commit_hangs() != (standby == Standby::missing)) {
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }

  // Every process of the server stops where it is, with its connections open; and goes on.
  void freeze() const { signal_all(SIGSTOP); }
  void thaw() const { signal_all(SIGCONT); }

  ~PostgresCluster() {
    end_server(SIGQUIT);  // at once: nothing of it is kept
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  // An address of a database, over TCP on loopback.
  std::string address(const std::string& database) const {
    return "postgres://cronally@127.0.0.1:" + std::to_string(port()) + "/" + database;
  }
  int port() const { return port_.number(); }
  const std::filesystem::path& directory() const { return directory_; }

  store::postgres::ConnectionOptions options(const std::string& database) const {
    return {.address = address(database), .name = "test"};
  }
  store::postgres::Connection connect(const std::string& database) const {
    return store::postgres::Connection(options(database));
  }

  // Starts another program of the database's world beside it, as the same user; it ends with
  // `stop`.
  pid_t start_beside(const std::vector<std::string>& words) { return run(words); }
  static void stop(pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  // A file in the cluster's directory that its user may read.
  std::string write_file(const std::string& name, const std::string& text) {
    const auto path = directory_ / name;
    std::ofstream(path) << text;
    return path.string();
  }

  // Stops the server in good order, keeps a copy of its files, and starts it again.
  void save() {
    end_server(SIGINT);
    std::filesystem::remove_all(directory_ / "saved");
    copy_files("data", "saved");
    start_again();
  }
  // Kills the server, puts the saved files back in the place of its own, and starts it: on the same
  // timeline, or as a standby that is promoted, on a new one. What was committed since is
  // forgotten.
  void put_back(bool promoted) {
    end_server(SIGQUIT);
    std::filesystem::remove_all(directory_ / "data");
    copy_files("saved", "data");
    if (promoted) {
      const auto signal = directory_ / "data" / "standby.signal";
      std::ofstream{signal};
      own(signal);
    }
    start_again();
    if (promoted) connect_to_any().execute("SELECT pg_promote(true, 30)");
  }

  // A new database, empty or a copy; it stays until the program ends.
  std::string create_database(const std::string& like = "template0") {
    const std::string name = "test_" + std::to_string(++databases_);
    connect("postgres").execute("CREATE DATABASE " + name + " TEMPLATE " + like);
    return name;
  }
  void drop_database(const std::string& name) {
    connect("postgres").execute("DROP DATABASE " + name + " WITH (FORCE)");
  }

 private:
  PostgresCluster() = default;

  bool commit_hangs() const {
    auto hasty = options("postgres");
    hasty.exchange_max = std::chrono::milliseconds{300};
    try {
      store::postgres::Connection{hasty}.execute(
          "SELECT pg_logical_emit_message(true, 'test', 'test')");
      return false;
    } catch (const store::postgres::PgError&) {
      return true;
    }
  }

  static std::filesystem::path find_programs() {
    for (int version = 19; version >= 13; --version) {
      const std::filesystem::path programs =
          "/usr/lib/postgresql/" + std::to_string(version) + "/bin";
      if (std::filesystem::exists(programs / "initdb")) return programs;
    }
    return {};
  }

  std::string data() const { return (directory_ / "data").string(); }

  void make_directory() {
    std::string made = std::filesystem::temp_directory_path() / "cronally-postgres-XXXXXX";
    CHECK(::mkdtemp(made.data()), "the temporary directory takes no new folder");
    directory_ = made;
    // The server refuses to run as root.
    if (const auto* user = unprivileged()) {
      CHECK(::chown(made.c_str(), user->pw_uid, user->pw_gid) == 0, "root gives its folder away");
    }
  }

  void start(const std::vector<std::string>& settings) {
    settings_ = settings;
    // Who is not of these tests may take a port between our look and the server's.
    for (int ports = 0; !start_server(); ++ports) {
      CHECK(ports < 5, "the PostgreSQL server of the tests finds a port that is free");
      port_ = ReservedPort();
    }
  }

  std::vector<std::string> words() const {
    std::vector<std::string> words{(find_programs() / "postgres").string(),
                                   "-D",
                                   data(),
                                   "-k",
                                   directory_.string(),
                                   "-p",
                                   std::to_string(port()),
                                   "-c",
                                   "listen_addresses=127.0.0.1",
                                   "-c",
                                   "max_connections=200",
                                   "-c",
                                   "log_min_messages=log"};
    words.insert(words.end(), settings_.begin(), settings_.end());
    return words;
  }

  // False: its port is taken. Whatever else keeps it from answering ends the program, with its log.
  bool start_server() {
    const auto log = directory_ / "log";
    server_ = run(words(), log.string());
    for (int tries = 0; tries < 300; ++tries) {
      try {
        connect_to_any();
        return true;
      } catch (const store::postgres::PgError&) {
        if (::waitpid(server_, nullptr, WNOHANG) == server_) break;
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
      }
    }
    std::ifstream file(log);
    const std::string said{std::istreambuf_iterator<char>(file), {}};
    if (said.contains("Address already in use")) return false;
    std::cerr << "PostgreSQL's log:\n" << said;
    CHECK(false, "the PostgreSQL server of the tests starts within 30 s");
    return false;
  }
  // On the port that its clients know.
  void start_again() {
    CHECK(start_server(), "nobody has taken the port of the tests' PostgreSQL server meanwhile");
  }

  // A standby too. By the socket in its folder: what answers there is this server and no other.
  store::postgres::Connection connect_to_any() const {
    auto any = options("postgres");
    any.address = "host=" + directory_.string() + " port=" + std::to_string(port()) +
                  " user=cronally dbname=postgres target_session_attrs=any";
    return store::postgres::Connection{any};
  }

  void end_server(int signal) {
    ::kill(server_, signal);
    ::waitpid(server_, nullptr, 0);
  }

  // As the user of the server.
  void copy_files(const std::string& from, const std::string& to) {
    must_run({"/bin/cp", "-a", (directory_ / from).string(), (directory_ / to).string()});
  }
  static void must_run(const std::vector<std::string>& words) {
    const pid_t child = run(words);
    int status = 0;
    CHECK(::waitpid(child, &status, 0) == child && status == 0, "a cluster's files are made");
  }

  void signal_all(int signal) const {
    ::kill(server_, signal);
    const auto pid = std::to_string(server_);
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    for (pid_t child = 0; children >> child;) ::kill(child, signal);
  }

  static void own(const std::filesystem::path& path) {
    if (const auto* user = unprivileged()) {
      CHECK(::chown(path.c_str(), user->pw_uid, user->pw_gid) == 0, "root gives its file away");
    }
  }

  static const passwd* unprivileged() { return ::getuid() == 0 ? ::getpwnam("postgres") : nullptr; }

  // A child that ends with this program, however that ends.
  static pid_t run(const std::vector<std::string>& words, const std::string& log = "/dev/null") {
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const auto* user = unprivileged();
    const pid_t child = ::fork();
    CHECK(child >= 0, "a process can be made");
    if (child > 0) return child;
    if (user && (::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (!::freopen("/dev/null", "w", stdout) || !::freopen(log.c_str(), "w", stderr)) ::_exit(126);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }

  std::filesystem::path directory_;
  ReservedPort port_;
  std::vector<std::string> settings_;
  pid_t server_ = 0;
  int databases_ = 0;
};

}  // namespace cronally::conformance
