// What the files of `plan` and `apply` declare, before it is held against the server. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/world.h"
#include "core/yaml_document.h"

namespace cronally::cli {

// One document of kind job. Its other fields are not judged yet.
struct DeclaredJob {
  std::string path;  // of its file, as it was given; "-" for standard input
  core::YamlDocument document;
  std::string name;  // empty where it has none that is sound; the reader of jobs says why

  const boost::json::object& object() const { return document.value.get_object(); }

  // A fault of one of its fields, as a message shows it: {"jobs.yaml:7:3: /target/url", detail}.
  FieldError fault(std::string_view pointer, std::string detail) const;
};

struct Declarations {
  std::vector<DeclaredJob> jobs;  // in the order of the files
  std::vector<FieldError> faults;
};

// Reads all files; notes what is no YAML, is of another kind than job, or has a name that stood
// there before.
Declarations read_declarations(const std::vector<ManifestFile>& files);

}  // namespace cronally::cli
