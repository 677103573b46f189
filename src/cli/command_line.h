// One command line, from its words to its exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/tree.h"
#include "cli/world.h"

namespace cronally::cli {

// Fills the tree with every verb.
void add_all_verbs(Tree& tree, ServeFunction serve);

// Parses the words (without the program's name), runs the verb and prints what went wrong.
// `serve` is handed in, so that tests need no server.
ExitCode run_command_line(std::vector<std::string> args, World& world, ServeFunction serve);

}  // namespace cronally::cli
