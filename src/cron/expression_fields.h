// Parsing one field of a cron expression; expression_parse.cc joins the fields.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cronally::cron {

enum class FieldKind : std::uint8_t { second, minute, hour, day, month, weekday, year };

// What a field may hold. Values are stored less `base`, so that all fit in one bit set.
struct FieldShape {
  FieldKind kind;
  std::string_view word;     // in messages, and what H hashes beside the job's name
  std::string_view thing;    // "no minute"
  std::string_view allowed;  // the end of "allowed: "
  int low;
  int high;       // weekday: 7, which is Sunday again
  int cycle;      // how many values a wrapping range goes round; 0: none may wrap
  int hash_high;  // the last value that H may choose; below `low`: H is refused
  int base = 0;
  std::span<const std::string_view> names{};  // the first one is the value name_first
  int name_first = 0;
};

const FieldShape& shape_of(FieldKind kind);

struct FieldValues {
  std::bitset<256> values{};       // bit n = value n + base
  bool star = false;               // starts with `*`, or is `?`
  std::uint64_t nth_weekdays = 0;  // these as in RareParts
  std::uint32_t nearest_weekdays = 0;
  std::uint32_t days_from_end = 0;
  std::uint8_t last_weekdays = 0;
  bool last_working_day = false;
};

// `column` is that of text[0] in the whole expression, counted from 1. `name` is what H hashes.
// Code of errors: "invalid_schedule".
Result<FieldValues> parse_field(FieldKind kind, std::string_view text, int column,
                                std::string_view name);

// The number H hashes to: the first 8 bytes, big-endian, of SHA-256 over the name, a zero byte
// and the field's word ("minute"). Part of the API: it must never change.
std::uint64_t hash_of(std::string_view name, FieldKind kind);

}  // namespace cronally::cron
