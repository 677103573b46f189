// What the process says to the shell. Part of the interface: scripts test these numbers.
#pragma once

#include <span>

namespace cronally::cli {

enum class ExitCode : int {
  ok = 0,
  failure = 1,  // it was done and did not succeed, or the server failed
  changes = 2,  // plan, apply and diff with --detailed-exitcode: there are or were changes
  usage = 2,    // what was asked for cannot be asked: a flag, a value, a definition
  not_found = 3,
  not_allowed = 4,  // no token, or one that may not do this
  conflict = 5,     // the name is taken, the revision has moved on
  unreachable = 6,  // no server, or it is not ready
  partly = 7,       // of several things some were done
};

// Of an HTTP status that the API answers; 2xx is ok.
ExitCode exit_code_of_status(int status);

// Of several actions: all ok is ok, none ok is the first one's code, else partly.
ExitCode exit_code_of_all(std::span<const ExitCode> codes);

}  // namespace cronally::cli
