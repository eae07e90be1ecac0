// Unchanged TOAST values: an UPDATE that leaves a large value as it is doesn't send it again. It is found where the
// row's previous image is: in an earlier row of the same batch, or in the table's file.
//
//   rows that need nothing of the table ──────────────────────────────┐
//   file a, its rows in order ──ReadRows──► parts of about kBatchBytes ├──► slices of filled rows, in that order
//   file b …                                                           ┘    (FillUnchangedValues)
//
// A batch of small changes may leave many times its own size unchanged: values are never gathered for all of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/schema.h"
#include "index/table_index.h"
#include "pipeline/fold.h"
#include "storage/file_store.h"

namespace firn::pipeline {

/// Where the values lie that rows of a batch leave as they were. Single-threaded.
class UnchangedValues {
 public:
  /// A row of the table.
  struct Place {
    int32_t file = 0;  ///< In files().
    int64_t row = 0;
  };
  using LocationOf = std::function<Result<std::string>(uint32_t)>;

  /// `rows` outlives this.
  explicit UnchangedValues(const encode::EncodedRows& rows);

  /// Looks for those of `wanted`, which are rows of the batch, ascending, behind those of an earlier call. `removed[i]`
  /// is where removed_keys[i]'s row lies; `location` names an index file number's data file, which must be readable
  /// from then on. kCorrupt when a previous image can't be found: the value would be lost.
  Status Find(const FoldedBatch& folded, std::span<const int32_t> wanted,
              std::span<const std::optional<index::RowPosition>> removed, const LocationOf& location);

  bool empty() const { return values_.empty(); }
  const std::vector<std::string>& files() const { return files_; }
  /// The columns that any row needs of the table, as a projection of it.
  iceberg::Schema Projection(const iceberg::Schema& schema) const;
  /// Which row of the table has those values of a wanted row that no row of the batch has.
  std::optional<Place> PlaceOf(int32_t row) const;
  /// Bytes of a wanted row with its values, but for those of the table.
  int64_t Bytes(int32_t row) const;

  /// Wanted rows, filled. `fetched`: Projection's columns of rows of the table; fetched_rows[i] is the one with the
  /// values of rows[i], if it needs one. Values are copied or those of `fetched`: nothing else of the batch is kept,
  /// unless the rows are all of it.
  Result<std::shared_ptr<arrow::RecordBatch>> Fill(std::span<const int32_t> rows,
                                                   const std::shared_ptr<arrow::RecordBatch>& fetched = nullptr,
                                                   std::span<const int32_t> fetched_rows = {}) const;

 private:
  struct Value {
    int32_t row = 0;
    int32_t column = 0;
    PreviousImage image;  ///< The nearest one that has it; neither row nor removed where none is known.
  };
  struct PlacedRow {
    int32_t row = 0;
    Place place;
  };
  std::span<const Value> Of(int32_t row) const;
  /// Of a value whose row comes after those found already.
  PreviousImage ImageOf(const FoldedBatch& folded, const Value& value) const;

  const encode::EncodedRows& rows_;
  std::vector<Value> values_;  ///< By row and column.
  size_t found_ = 0;           ///< How many of them have an image.
  std::vector<PlacedRow> places_;
  std::vector<std::string> files_;
  std::set<int> table_columns_;
};

/// Takes filled rows: row i is the one of `wanted` with the index which[i].
using FilledRowsSink =
    std::function<Status(const std::shared_ptr<arrow::RecordBatch>& rows, std::span<const int32_t> which)>;

/// Gives each of `wanted`, for which Find was called, in slices of about kBatchBytes, or a row: in the order in which
/// the table's files are read, each once.
Status FillUnchangedValues(storage::FileStore& store, const iceberg::Schema& schema, const UnchangedValues& values,
                           std::span<const int32_t> wanted, const FilledRowsSink& sink);

/// Reads the values of few rows of a batch at a time, for rows whose order must stay. Single-threaded.
class UnchangedValuesReader {
 public:
  UnchangedValuesReader(storage::FileStore& store, const iceberg::Schema& schema, const UnchangedValues& values)
      : store_(store), projection_(values.Projection(schema)), values_(values) {}

  /// The rows, filled; null where more than `bytes_max` of the table would have to be held for more than one row.
  Result<std::shared_ptr<arrow::RecordBatch>> Fill(std::span<const int32_t> rows, int64_t bytes_max);
  /// Bytes of the table that the last Fill held.
  int64_t fetched_bytes() const { return fetched_bytes_; }

 private:
  Result<iceberg::DataFileReader*> Open(int32_t file);

  storage::FileStore& store_;
  const iceberg::Schema projection_;
  const UnchangedValues& values_;
  std::map<int32_t, std::unique_ptr<iceberg::DataFileReader>> readers_;  ///< A few, by file.
  int64_t fetched_bytes_ = 0;
};

}  // namespace firn::pipeline
