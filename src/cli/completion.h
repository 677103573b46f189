// What may stand next on a command line, for the completion of shells.
//
// The scripts of `cronally completion` hold no verbs or flags: at each Tab they ask the program
// itself, so that they never differ from it:
//
//   $ cronally __complete job sh            words
//                                           show<TAB>Show a job.
//   $ cronally __complete apply -f ''       files
//
// The last word is the one under the cursor, up to the cursor. The first line says what fits: words
// (the lines below it), files or directories, which the shell finds itself. Nothing is ever said
// on standard error, and the exit code is 0.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session.h"

namespace cronally::cli {

struct Candidate {
  std::string word;
  std::string description;
};

struct Completion {
  enum class Kind { words, files, directories, jobs };

  Kind kind = Kind::words;
  std::vector<Candidate> words;  // each begins with the last word
  // Of jobs: what their names are to begin with, and what stands before the name ("--job=").
  std::string name_prefix;
  std::string before;
  GlobalFlags flags;  // those that were given, for whoever asks the server
};

// Pure. `words` without the program's name; no words are as one empty word.
Completion complete(const CLI::App& root, std::span<const std::string> words);

// The answer to `cronally __complete WORDS`. Names of jobs come from the server, if it answers
// within a second; else there are none.
void answer_completion(const CLI::App& root, std::span<const std::string> words, World& world);

// The script for "bash", "zsh" or "fish".
std::optional<std::string_view> completion_script(std::string_view shell);

}  // namespace cronally::cli
