// Jobs as YAML documents that core/yaml_document, and every other reader of YAML 1.1 and 1.2,
// reads back as they are. Pure.
#pragma once

#include <boost/json.hpp>
#include <string>

namespace cronally::cli {

// A job as the API answers it, as a document of `apply`: without what the server sets and what is
// the default, secrets as "***". It begins with "---".
std::string job_yaml(const boost::json::object& job);

// The JSON schema of such a document, for editors. It is the API's own description of a job.
boost::json::object job_schema();

}  // namespace cronally::cli
