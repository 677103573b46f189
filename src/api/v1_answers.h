// The shape of v1's answers: {"status": "success", "response": ...}, always 200, and
// {"status": "error", "reason": ..., "code": ...} with the statuses of 2015. Every one is JSON.
#pragma once

#include <boost/json.hpp>

#include "api/call.h"
#include "core/form_body.h"

namespace cronally::api {

net::Response v1_success(boost::json::value response);

// Faults of fields stand in "fields", by the names of the form.
net::Response v1_refusal(const Error& error);

// The fields of the request's body; code "invalid_form".
Result<core::Form> v1_form(const net::Request& request);

}  // namespace cronally::api
