// The order in which firn wrote the rows of an append table: files by what their metrics say of the LSNs in them, and
// where that can't tell, rows by their own. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "iceberg/data_file.h"

namespace firn::pipeline {

struct WrittenFile {
  iceberg::DataFile file;
  int64_t sequence_number = 0;
};

/// Files that were written at the same time. All rows of a group come after those of earlier groups.
struct WrittenFiles {
  std::vector<WrittenFile> files;
  /// Rows of a key may lie in several of the files, in an order that only the rows' LSNs tell: the files are of several
  /// partitions, or some were merged of files around others. Else the files are in order.
  bool interleaved = false;
};

/// The LSNs of a file's rows, by its bounds; all there can be where it has none.
struct LsnRange {
  int64_t lowest = 0;
  int64_t highest = 0;
};
LsnRange LsnsOf(const iceberg::DataFile& file, iceberg::FieldId lsn);

/// `lsn` and `operation`: the fields _firn_lsn and _firn_op. Sequence numbers alone wouldn't do: another engine that
/// merges small files gives the merged one a new number.
std::vector<WrittenFiles> InWriteOrder(std::vector<WrittenFile> files, iceberg::FieldId lsn,
                                       iceberg::FieldId operation);

}  // namespace firn::pipeline
