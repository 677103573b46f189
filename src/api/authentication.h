// Who sends a request: by a token, or by a signature of API v1 (core/v1_signature).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/router.h"

namespace cronally::api {

// Answers a request that leads to `route`, if whoever sends it may: with a token, or where it has
// no Authorization with a signature, which never is an admin's. Codes "unauthorized",
// "admin_required", "unavailable" (too many requests to remember), and those of the handler.
Answer admit(Shared& shared, const net::Request& request, const Route& route,
             std::vector<std::string> params);

// The same where only a signature opens a route (Access::token).
Answer admit_signed(Shared& shared, const net::Request& request, const Route& route,
                    std::vector<std::string> params);

// Whether the request has the token of an admin, as Authorization or as this text.
bool is_admin(Shared& shared, const net::Request& request, std::string_view token);

// The request's path without the base path that clients may have before it.
std::string_view local_path(const V1Options& options, std::string_view path);

}  // namespace cronally::api
