// How partitions are written for people: the names of their folders, as Java's PartitionSpec makes them.
#pragma once

#include <string>
#include <string_view>

#include "iceberg/data_file.h"
#include "iceberg/schema.h"

namespace firn::iceberg {

/// A partition value: "2024", "2024-01", "2024-01-30", "2024-01-30-22" for year, month, day and hour; ISO 8601 for
/// dates and times; Base64 for binaries; "null".
std::string HumanValue(const Transform& transform, const Type& source, const Literal& value);

/// "name=value", each escaped as in a URL's query; a name that no file system would take is cut.
std::string PartitionFolder(std::string_view name, std::string_view value);

}  // namespace firn::iceberg
