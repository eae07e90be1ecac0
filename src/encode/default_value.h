// A column's default as a field of an Iceberg table of version 3 holds it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "encode/type_mapping.h"
#include "firn/result.h"

namespace firn::encode {

/// The spec's JSON of a single value (Appendix D), for the column's value that PostgreSQL prints as `text`. Nothing
/// where there is none: a NaN, an infinity, a nested type, a value that the field can't hold.
std::optional<std::string> DefaultValueJson(const TableName& table, const ColumnMapping& column, std::string_view text);

}  // namespace firn::encode
