#include "store/postgres/wire.h"

#include "base/check.h"

namespace cronally::store::postgres {

namespace {

template <class Integer>
void write_integer(std::string& out, Integer value) {
  using Unsigned = std::make_unsigned_t<Integer>;
  for (int shift = static_cast<int>(sizeof(Integer)) * 8 - 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(static_cast<Unsigned>(value) >> shift & 0xffU);
  }
}

}  // namespace

void write_value(std::string& out, std::int64_t value) { write_integer(out, value); }
void write_value(std::string& out, bool value) { out += value ? '\1' : '\0'; }
void write_value(std::string& out, std::string_view text) { out += text; }
void write_value(std::string& out, Bytes bytes) { out += bytes.value; }
void write_value(std::string& out, const Uuid& id) {
  out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

Params& Params::push(Oid type, std::optional<std::string> value) {
  types_.push_back(type);
  values_.push_back(std::move(value));
  return *this;
}

// array_recv() of PostgreSQL's source: dimensions, a flag, the type, and for each dimension its
// size and first index.
Params& Params::push_array(Oid element, const std::string& elements, std::size_t size,
                           bool has_null) {
  std::string bytes;
  write_integer(bytes, std::int32_t{size > 0 ? 1 : 0});
  write_integer(bytes, std::int32_t{has_null ? 1 : 0});
  write_integer(bytes, static_cast<std::int32_t>(element));
  if (size > 0) {
    write_integer(bytes, static_cast<std::int32_t>(size));
    write_integer(bytes, std::int32_t{1});
    bytes += elements;
  }
  Oid array = 0;
  switch (static_cast<Type>(element)) {
    case Type::boolean: array = 1000; break;
    case Type::bytea: array = 1001; break;
    case Type::bigint: array = 1016; break;
    case Type::text: array = 1009; break;
    case Type::uuid: array = 2951; break;
  }
  return push(array, std::move(bytes));
}

std::int64_t Row::integer(int column) const {
  const std::string_view bytes = view(column);
  CHECK(!bytes.empty() && bytes.size() <= 8, "an integer of a row has 1 to 8 bytes");
  // The sign is that of the highest byte.
  std::uint64_t value = static_cast<signed char>(bytes.front()) < 0 ? ~std::uint64_t{0} : 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value);
}

std::string_view Row::view(int column) const {
  return {PQgetvalue(result_, row_, column),
          static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

Uuid Row::uuid(int column) const {
  const std::string_view bytes = view(column);
  Uuid id;
  CHECK(bytes.size() == id.bytes.size(), "a uuid has 16 bytes");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(bytes[i]);
  }
  return id;
}

}  // namespace cronally::store::postgres
