// What the handlers of jobs share: finding, reading, writing.
#pragma once

#include <optional>
#include <string_view>

#include "api/call.h"

namespace cronally::api {

// By id or name; code "not_found".
Result<core::Job> find_job(const Call& call, std::string_view reference);

boost::json::object job_body(const Call& call, const core::Job& job);

// The job as an answer, with its ETag; 201 adds Location.
net::Response job_response(const Call& call, int status, const core::Job& job);

// Reads a whole job and seals its secrets. A secret that equals the stored one keeps its id, so
// that sending the same definition again changes nothing.
Result<store::JobDraft> read_draft(const Call& call, const boost::json::object& object,
                                   const core::Job* stored, std::string_view prefix = {});

std::string etag_of(const core::Job& job);

// Whether a header of entity tags (RFC 9110 §8.8.3) names this one: "*", or one of a list. Weak
// tags match nothing where `strong` is asked for.
bool names_etag(std::string_view header, std::string_view etag, bool strong);

}  // namespace cronally::api
