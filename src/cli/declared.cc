#include "cli/declared.h"

#include <array>
#include <map>
#include <utility>

#include "base/text.h"
#include "core/manifest.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

std::string place_text(const std::string& path, core::YamlPlace place) {
  return path + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

std::string name_of(const json::object& object) {
  const json::value* text = object.if_contains("name");
  if (!text || !text->is_string()) return {};
  return core::read_name(std::string(text->get_string())).value_or(std::string());
}

// Why a document is not of kind job; its pointer is "" or "/kind".
std::optional<FieldError> kind_fault(const json::value& value) {
  static constexpr std::array<std::string_view, 1> kinds{"job"};
  if (!value.is_object()) return FieldError{"", "a document must be an object with kind: job"};
  const json::value* kind = value.get_object().if_contains("kind");
  if (!kind) return FieldError{"", "the kind is missing; write kind: job"};
  if (kind->is_string() && kind->get_string() == kinds[0]) return std::nullopt;
  if (!kind->is_string()) return FieldError{"/kind", "must be job"};
  const std::string text(kind->get_string());
  return FieldError{"/kind", "must be job, not " + quote(text) + did_you_mean(text, kinds)};
}

}  // namespace

FieldError DeclaredJob::fault(std::string_view pointer, std::string detail) const {
  const std::string place = place_text(path, document.place_of(pointer));
  return {pointer.empty() ? place : place + ": " + std::string(pointer), std::move(detail)};
}

Declarations read_declarations(const std::vector<ManifestFile>& files) {
  Declarations all;
  std::map<std::string, std::size_t, std::less<>> names;
  for (const ManifestFile& file : files) {
    core::YamlFile read = core::read_yaml(file.text);
    for (core::YamlFault& fault : read.faults)
      all.faults.push_back({place_text(file.path, fault.place), std::move(fault.detail)});
    for (core::YamlDocument& document : read.documents) {
      DeclaredJob job{file.path, std::move(document), {}};
      if (auto fault = kind_fault(job.document.value)) {
        all.faults.push_back(job.fault(fault->pointer, std::move(fault->detail)));
        continue;
      }
      job.name = name_of(job.object());
      const auto [first, fresh] = names.emplace(job.name, all.jobs.size());
      if (!fresh && !job.name.empty())
        all.faults.push_back(
            job.fault("/name", "is the name of the job at " +
                                   place_text(all.jobs[first->second].path,
                                              all.jobs[first->second].document.place_of("/name")) +
                                   " too"));
      all.jobs.push_back(std::move(job));
    }
  }
  return all;
}

}  // namespace cronally::cli
