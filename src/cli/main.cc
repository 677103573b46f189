// cronally: server and command line in one program.
#include <string>
#include <vector>

#include "cli/command_line.h"

int main(int count, char** words) {
  cronally::cli::World world = cronally::cli::real_world();
  const std::vector<std::string> args(words + 1, words + count);
  return static_cast<int>(cronally::cli::run_command_line(args, world, &cronally::cli::serve));
}
