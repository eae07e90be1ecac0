// The rows of a table at a snapshot, as any engine sees them: every data file, whatever its format, without the rows
// that vectors, position deletes and equality deletes remove.
//
//   PlanFiles ──► LiveDataFile ──DeletedRows──► positions ─┐
//                     └────────── DataFileReader ──────────┴──► LiveRowReader ──► batches of live rows, with positions
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/deleted_rows.h"
#include "iceberg/schema.h"
#include "iceberg/table_files.h"
#include "iceberg/table_metadata.h"
#include "storage/file_store.h"

namespace firn::iceberg {

struct LiveRows {
  std::shared_ptr<arrow::RecordBatch> rows;  ///< ToArrowSchema(projection)'s columns.
  std::vector<int64_t> positions;            ///< Of each row in its data file, ascending.
};

/// The live rows of one data file. Single-threaded.
class LiveRowReader {
 public:
  /// `projection`: any fields of the table's schemas, and of reserved_fields.h: _file and _pos; _row_id and
  /// _last_updated_sequence_number with their inherited values (spec: "Row Lineage").
  static Result<std::unique_ptr<LiveRowReader>> Open(storage::FileStore& store, const TableMetadata& metadata,
                                                     const ManifestEntry& file, const Schema& projection,
                                                     RowPositions deleted);

  /// Nothing at the end.
  Result<std::optional<LiveRows>> Next();

 private:
  LiveRowReader() = default;
  /// The projection's columns of rows of the file.
  Result<std::shared_ptr<arrow::RecordBatch>> Project(const std::shared_ptr<arrow::RecordBatch>& stored,
                                                      const std::vector<int64_t>& positions) const;
  /// `stored`: what the file has for a field that it may hold.
  Result<std::shared_ptr<arrow::Array>> ReservedColumn(const Field& field, const std::shared_ptr<arrow::Array>& stored,
                                                       const std::vector<int64_t>& positions) const;

  ManifestEntry file_;
  Schema projection_;
  std::shared_ptr<arrow::Schema> schema_;
  Schema stored_;  ///< Those of the projection's fields that the file may hold.
  std::unique_ptr<DataFileReader> reader_;
  RowPositions deleted_;
  bool has_deletes_ = false;
  int64_t next_position_ = 0;
};

/// Single-threaded.
class TableScan {
 public:
  /// Of `snapshot`; of no rows when it is null.
  static Result<TableScan> Plan(storage::FileStore& store, TableMetadataPtr metadata, const Snapshot* snapshot,
                                Schema projection, ManifestCache& manifests);

  /// The data files that make up the table, each to be opened once or more, best in this order.
  const std::vector<LiveDataFile>& files() const { return files_; }
  Result<std::unique_ptr<LiveRowReader>> Open(const LiveDataFile& file);

 private:
  TableScan(storage::FileStore& store, TableMetadataPtr metadata, Schema projection, std::vector<LiveDataFile> files);

  storage::FileStore* store_;
  TableMetadataPtr metadata_;
  Schema projection_;
  std::vector<LiveDataFile> files_;
  DeletedRows deleted_rows_;
};

}  // namespace firn::iceberg
