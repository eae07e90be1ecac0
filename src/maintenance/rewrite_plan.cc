#include "maintenance/rewrite_plan.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace firn::maintenance {
namespace {

using iceberg::LiveDataFile;

/// What is known of a file without reading its deletes.
struct FileCost {
  double deleted_part = 0;
  int64_t delete_files = 0;
};

FileCost CostOf(const LiveDataFile& file) {
  FileCost cost{.delete_files = static_cast<int64_t>(file.position_deletes.size() + file.equality_deletes.size())};
  const auto rows = static_cast<double>(std::max<int64_t>(1, file.entry.file.record_count));
  double deleted = 0;
  for (const auto& deletes : file.position_deletes) {
    // Those of several data files may hold few of this one's rows: they count as none.
    if (iceberg::ReferencedDataFile(deletes->file)) deleted += static_cast<double>(deletes->file.record_count);
  }
  cost.deleted_part = std::min(1.0, deleted / rows);
  return cost;
}

int64_t LiveBytes(const LiveDataFile& file) {
  return static_cast<int64_t>(static_cast<double>(file.entry.file.file_size_in_bytes) *
                              (1 - CostOf(file).deleted_part));
}

bool IsCandidate(const LiveDataFile& file, const RewriteLimits& limits) {
  if (file.entry.file.file_size_in_bytes > limits.file_bytes_max) return false;
  const double small = limits.small_file_ratio * static_cast<double>(limits.target_file_size_bytes);
  return static_cast<double>(LiveBytes(file)) < small || CostOf(file).deleted_part >= limits.deleted_ratio ||
         !file.equality_deletes.empty();
}

/// What a full scan has less of, once the group is one file, or as few as can be.
struct Saved {
  int64_t files = 0;
  double deleted_bytes = 0;

  double bytes() const { return static_cast<double>(files * kOpenCostBytes) + deleted_bytes; }
};

Saved SavedBy(const RewriteGroup& group, const RewriteLimits& limits) {
  const int64_t target = std::max<int64_t>(1, limits.target_file_size_bytes);
  const int64_t files_after = limits.group_files_max > 1 ? (group.bytes + target - 1) / target : 1;
  Saved saved{.files = -std::max<int64_t>(1, files_after)};
  for (const LiveDataFile& file : group.files) {
    saved.files += 1 + CostOf(file).delete_files;
    saved.deleted_bytes += static_cast<double>(file.entry.file.file_size_in_bytes - LiveBytes(file));
  }
  return saved;
}

double Worth(const RewriteGroup& group, const RewriteLimits& limits) {
  return SavedBy(group, limits).bytes() / static_cast<double>(std::max<int64_t>(1, group.bytes));
}

bool IsWorthItAlone(const LiveDataFile& file, const RewriteLimits& limits) {
  if (limits.joins_only) return false;
  const RewriteGroup alone{.files = {file}, .bytes = LiveBytes(file)};
  return SavedBy(alone, limits).bytes() > 0 && Worth(alone, limits) >= limits.saved_ratio;
}

bool IsWorthIt(const RewriteGroup& group, const RewriteLimits& limits) {
  const Saved saved = SavedBy(group, limits);
  if (!limits.grows_by_size) return saved.bytes() > 0 && Worth(group, limits) >= limits.saved_ratio;
  return saved.files >= limits.files_saved_min ||
         std::ranges::any_of(group.files, [&](const auto& file) { return IsWorthItAlone(file, limits); });
}

/// Leaves the files that are worth it alone, and of the others the most of which the largest is at most twice the rest
/// (or they are small all the same).
void LeaveThoseThatGrow(std::vector<LiveDataFile>& files, const RewriteLimits& limits) {
  std::vector<int64_t> sizes;
  for (const LiveDataFile& file : files) sizes.push_back(LiveBytes(file));
  std::ranges::sort(sizes);
  double rest = 0;
  int64_t largest = 0;
  for (const int64_t size : sizes) {
    if (static_cast<double>(size) <= std::max(static_cast<double>(limits.joined_bytes_min), 2 * rest)) largest = size;
    rest += static_cast<double>(size);
  }
  std::erase_if(files,
                [&](const LiveDataFile& file) { return LiveBytes(file) > largest && !IsWorthItAlone(file, limits); });
}

}  // namespace

std::vector<RewriteGroup> PlanRewrites(std::vector<LiveDataFile> files, const RewriteLimits& limits) {
  std::map<std::string, std::vector<LiveDataFile>> partitions;
  for (LiveDataFile& file : files) {
    if (!IsCandidate(file, limits)) continue;
    std::string key = iceberg::PartitionKey(file.entry.file.partition_spec_id, file.entry.file.partition);
    partitions[std::move(key)].push_back(std::move(file));
  }
  const int64_t bytes_max = limits.target_file_size_bytes * limits.group_files_max;
  std::vector<RewriteGroup> groups;
  auto close = [&](RewriteGroup& group) {
    if (IsWorthIt(group, limits)) groups.push_back(std::move(group));
    group = {};
  };
  for (auto& [key, members] : partitions) {
    if (limits.grows_by_size) LeaveThoseThatGrow(members, limits);
    // Rows that came together stay together: columns that follow time keep narrow bounds.
    std::ranges::sort(members, {}, [](const LiveDataFile& file) {
      return std::tuple(file.entry.sequence_number, std::string_view(file.entry.file.file_path));
    });
    RewriteGroup group;
    for (LiveDataFile& file : members) {
      const int64_t bytes = LiveBytes(file);
      if (!group.files.empty() && group.bytes + bytes > bytes_max) close(group);
      group.bytes += bytes;
      group.files.push_back(std::move(file));
    }
    close(group);
  }
  std::ranges::stable_sort(groups, std::greater<>(), [&](const RewriteGroup& group) { return Worth(group, limits); });
  return groups;
}

}  // namespace firn::maintenance
