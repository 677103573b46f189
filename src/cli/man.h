// Manual pages of section 1, one for the program and one for each group and verb, from the option
// tree: roff with the man macros (groff_man(7)). Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace cronally::cli {

// "cronally-job-add", whose file is cronally-job-add.1.
std::string man_name(const CLI::App& app);

// The page of the program, a group or a verb. It depends on the tree alone.
std::string man_page(const CLI::App& app);

}  // namespace cronally::cli
