#include "iceberg/manifest_groups.h"

#include <string_view>
#include <variant>

namespace firn::iceberg {
namespace {

constexpr size_t kUuidBytes = 16;
constexpr char kNoUuid = '-';

/// '0' to '3', by the halves' signs.
char SignsOf(std::string_view uuid) {
  if (uuid.size() != kUuidBytes) return kNoUuid;
  const auto is_negative = [&](size_t half) { return static_cast<uint8_t>(uuid[half]) >> 7; };
  return static_cast<char>('0' + 2 * is_negative(0) + is_negative(kUuidBytes / 2));
}

}  // namespace

ManifestGroups::ManifestGroups(const TableMetadata& metadata) {
  for (const PartitionSpec& spec : metadata.partition_specs) {
    const Type type = PartitionType(metadata, spec);
    for (size_t i = 0; i < type.fields.size(); ++i) {
      if (type.fields[i].type.id == TypeId::kUuid) uuids_[spec.spec_id].push_back(i);
    }
  }
}

const std::vector<size_t>& ManifestGroups::UuidsOf(int32_t spec_id) const {
  static const std::vector<size_t> kNone;
  const auto found = uuids_.find(spec_id);
  return found == uuids_.end() ? kNone : found->second;
}

ManifestGroup ManifestGroups::Of(const DataFile& file) const {
  ManifestGroup group{.spec_id = file.partition_spec_id};
  for (const size_t place : UuidsOf(group.spec_id)) {
    const auto* uuid = place < file.partition.size() ? std::get_if<std::string>(&file.partition[place]) : nullptr;
    group.signs += uuid != nullptr ? SignsOf(*uuid) : kNoUuid;
  }
  return group;
}

std::optional<ManifestGroup> ManifestGroups::Of(const ManifestFile& manifest) const {
  ManifestGroup group{.spec_id = manifest.partition_spec_id};
  for (const size_t place : UuidsOf(group.spec_id)) {
    if (place >= manifest.partitions.size()) return std::nullopt;
    const ManifestFile::FieldSummary& summary = manifest.partitions[place];
    const char least = summary.lower_bound ? SignsOf(*summary.lower_bound) : kNoUuid;
    const char greatest = summary.upper_bound ? SignsOf(*summary.upper_bound) : kNoUuid;
    if (least != greatest) return std::nullopt;
    group.signs += least;
  }
  return group;
}

}  // namespace firn::iceberg
