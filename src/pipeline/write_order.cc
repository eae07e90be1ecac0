#include "pipeline/write_order.h"

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

namespace firn::pipeline {
namespace {

/// A long's bound, as the spec serializes it: little-endian.
int64_t BoundOf(const std::map<iceberg::FieldId, std::string>& bounds, iceberg::FieldId field, int64_t missing) {
  const auto found = bounds.find(field);
  if (found == bounds.end()) return missing;
  uint64_t value = 0;
  for (size_t i = found->second.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(found->second[i - 1]);
  }
  return static_cast<int64_t>(value);
}

bool HoldsCopiedRowsOnly(const iceberg::DataFile& file, iceberg::FieldId operation) {
  const auto lower = file.lower_bounds.find(operation);
  const auto upper = file.upper_bounds.find(operation);
  return lower != file.lower_bounds.end() && upper != file.upper_bounds.end() && lower->second == "copy" &&
         upper->second == "copy";
}

}  // namespace

LsnRange LsnsOf(const iceberg::DataFile& file, iceberg::FieldId lsn) {
  return {.lowest = BoundOf(file.lower_bounds, lsn, 0),
          .highest = BoundOf(file.upper_bounds, lsn, std::numeric_limits<int64_t>::max())};
}

std::vector<WrittenFiles> InWriteOrder(std::vector<WrittenFile> files, iceberg::FieldId lsn,
                                       iceberg::FieldId operation) {
  const auto lowest = [lsn](const WrittenFile& file) { return LsnsOf(file.file, lsn).lowest; };
  std::ranges::sort(files, {}, [&](const WrittenFile& file) {
    return std::tuple(lowest(file), file.sequence_number, std::string_view(file.file.file_path));
  });
  std::vector<WrittenFiles> groups;
  int64_t highest = 0;  // Of the last group.
  for (WrittenFile& file : files) {
    const bool same_write = !groups.empty() && (groups.back().files.front().sequence_number == file.sequence_number ||
                                                lowest(file) < highest);
    if (!same_write) {
      groups.emplace_back();
      highest = 0;
    }
    groups.back().interleaved = groups.back().interleaved || lowest(file) < highest;
    highest = std::max(highest, LsnsOf(file.file, lsn).highest);
    groups.back().files.push_back(std::move(file));
  }
  for (WrittenFiles& group : groups) {
    const iceberg::DataFile& first = group.files.front().file;
    const bool several_partitions = std::ranges::any_of(group.files, [&](const WrittenFile& other) {
      return other.file.partition_spec_id != first.partition_spec_id || other.file.partition != first.partition;
    });
    // The copy has each key once.
    const bool copied = std::ranges::all_of(
        group.files, [&](const WrittenFile& file) { return HoldsCopiedRowsOnly(file.file, operation); });
    group.interleaved = (group.interleaved || several_partitions) && !copied;
  }
  return groups;
}

}  // namespace firn::pipeline
