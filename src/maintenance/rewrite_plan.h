// Which data files of a table are worth rewriting, and which of them together. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "iceberg/table_files.h"
#include "iceberg/table_metadata.h"

namespace firn::maintenance {

/// Opening a file costs a reader about as much as reading this much of one (Spark: read.split.open-file-cost).
constexpr int64_t kOpenCostBytes = 4 << 20;

struct RewriteLimits {
  int64_t target_file_size_bytes = 512 << 20;
  /// Where rows are sorted, a group may become several files, each of which has a range: of so many files that are as
  /// large as they should be. 1: a group becomes about one file.
  int64_t group_files_max = 1;
  /// Larger files are left as they are.
  int64_t file_bytes_max = INT64_MAX;
  /// None is rewritten for its deletes alone.
  bool joins_only = false;
  /// A file below this part of the target is small.
  double small_file_ratio = 0.75;
  /// A file of which at least this part is deleted is rewritten even alone.
  double deleted_ratio = 0.1;
  /// What a rewrite must save each full scan, by the bytes that it writes. 0: whatever makes the table better.
  double saved_ratio = 0;
  /// For plans that are made again and again. Files join only where the largest is not much larger than the others
  /// together: what is written grows with the logarithm of how often it is planned. `saved_ratio` is then asked of
  /// files that are rewritten for their deletes alone.
  bool grows_by_size = false;
  /// Files up to this size join whatever the others have.
  int64_t joined_bytes_min = kOpenCostBytes;
  /// Data and delete files that readers must no longer have to open, where a group is made of small files alone.
  int64_t files_saved_min = 1;
};

/// What suits a process that plans all the time: rewrites that pay off.
inline RewriteLimits ContinuousLimits(int64_t target_file_size_bytes) {
  return {.target_file_size_bytes = target_file_size_bytes,
          .saved_ratio = 0.25,
          .grows_by_size = true,
          .files_saved_min = 4};
}

/// Files of one partition that become about one file, or a few (group_files_max).
struct RewriteGroup {
  std::vector<iceberg::LiveDataFile> files;
  int64_t bytes = 0;  ///< Of the files' live rows, about.
};

/// The groups that are worth it, those that save readers most for what they write first. Files of other partition specs
/// than the table's default are rewritten into it, each group of them with files of its own partition.
std::vector<RewriteGroup> PlanRewrites(std::vector<iceberg::LiveDataFile> files, const RewriteLimits& limits);

}  // namespace firn::maintenance
