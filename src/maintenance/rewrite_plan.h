// Which data files of a table are worth rewriting, and which of them together. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "iceberg/table_files.h"
#include "iceberg/table_metadata.h"

namespace firn::maintenance {

struct RewriteLimits {
  int64_t target_file_size_bytes = 512 << 20;
  /// A file below this part of the target is small.
  double small_file_ratio = 0.75;
  /// A file of which at least this part is deleted is rewritten even alone.
  double deleted_ratio = 0.1;
  /// What a rewrite must save each full scan, by the bytes that it writes. 0: whatever makes the table better.
  double saved_ratio = 0;
};

/// Files of one partition that become about one file.
struct RewriteGroup {
  std::vector<iceberg::LiveDataFile> files;
  int64_t bytes = 0;  ///< Of the files' live rows, about.
};

/// The groups that are worth it, those that save readers most for what they write first. Files of other partition specs
/// than the table's default are rewritten into it, each group of them with files of its own partition.
std::vector<RewriteGroup> PlanRewrites(std::vector<iceberg::LiveDataFile> files, const RewriteLimits& limits);

}  // namespace firn::maintenance
