// Wire values → Arrow columns. Rows are gathered as bytes in an arena; every few thousand rows each column is decoded
// in one loop of its own type, so a type is dispatched on once a column and chunk, and nothing is allocated per value.
//
//   COPY row / pgoutput tuple ──AppendRow──► arena + (pointer, size, format) per value
//                                               │ chunk full
//                                               ▼
//                                     one decode loop per column ──► Arrow builders ──Finish──► RecordBatch
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "encode/type_mapping.h"
#include "encode/unrepresentable_values.h"
#include "firn/result.h"
#include "model/wire_value.h"

namespace arrow {
class RecordBatch;
}

namespace firn::encode {

/// A value that the source did not send: the row's previous value stays.
struct UnchangedValue {
  int64_t row = 0;  ///< In the batch that Finish gives.
  int column = 0;   ///< Index into the mapping's columns.
};

struct EncodedRows {
  std::shared_ptr<arrow::RecordBatch> batch;  ///< Columns of iceberg::ToArrowSchema, nullable throughout.
  std::vector<UnchangedValue> unchanged;      ///< By row; these hold null in the batch.
  std::vector<ReplacedValues> replaced;       ///< Columns without such values are left out.
};

/// Single-threaded. Errors name table, column and (a part of) the value: kUnsupported for a value that the Iceberg type
/// can't hold (infinity, NaN in a decimal, year 294276) where the column's policy is kError, with what to do; kCorrupt
/// for malformed bytes. After an error AppendRow and Finish give that error again; Finish also empties the encoder, and
/// it can be used anew.
///
/// A batch's string, binary or list column holds 2 GiB at most (kUnsupported): call Finish well before, by bytes().
class RowEncoder {
 public:
  virtual ~RowEncoder() = default;

  /// `columns`: which of the mapping's columns a row consists of, in order (a key tuple has fewer); empty: all.
  static Result<std::unique_ptr<RowEncoder>> Make(const TableMapping& mapping, std::vector<int> columns = {});

  /// One row, a value per column, else kCorrupt; the bytes are copied (or decoded at once, where they are many). Errors
  /// may be those of an earlier row of the same chunk.
  virtual Status AppendRow(std::span<const WireValue> values) = 0;
  virtual int64_t rows() const = 0;
  /// Memory held, in bytes (arena and builders). Cheap enough to ask after each row.
  virtual size_t bytes() const = 0;
  /// All rows so far; the encoder is empty afterwards.
  virtual Result<EncodedRows> Finish() = 0;
};

}  // namespace firn::encode
