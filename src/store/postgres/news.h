// What one process tells the others through NOTIFY: words, "c3:17" (shard 3's change number is 17),
// "s3:17" (its owner has seen change 17), "r" (a run was requested).
#pragma once

#include <string>
#include <string_view>

#include "store/postgres/bell.h"

namespace cronally::store::postgres {

// Of these effects what others wait for and `bell` does not know yet; empty: nothing.
std::string write_news(const Effects& effects, const Bell& bell);

// Words that are none of ours, as a later version may send them, are left out.
Effects read_news(std::string_view news);

}  // namespace cronally::store::postgres
