// A file's columns as the columns that a reader asked for: found by field id, converted to today's types, and made up
// where the file lacks them (spec: "Column Projection", "Schema Evolution").
#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/file_columns.h"
#include "iceberg/name_mapping.h"
#include "iceberg/schema.h"
#include "iceberg/table_metadata.h"

namespace firn::iceberg {

/// What the table knows of a file's columns beside what stands in the file.
struct ColumnContext {
  NameMapping names;                            ///< For a file whose columns have no ids.
  std::map<FieldId, Literal> partition_values;  ///< Of fields with an identity partition, by the field's id.
};

Result<ColumnContext> ColumnContextOf(const TableMetadata& metadata, const DataFile& file);

/// Makes sure that a file's columns have ids: by the name mapping where the file has none at all. kUnsupported when
/// there is no mapping either.
Status ResolveIds(const ColumnContext& context, std::vector<FileColumn>& columns);

/// What each row of the file has for a top-level field that the file lacks: the partition's value, the initial default
/// or null.
Result<std::shared_ptr<arrow::Scalar>> MissingValue(const Field& field, const ColumnContext& context);

/// Single-threaded; keeps no state between batches.
class ColumnProjection {
 public:
  /// `file_columns`: the file's top-level columns.
  static Result<ColumnProjection> Make(const Schema& projection, std::vector<FileColumn> file_columns,
                                       const ColumnContext& context);

  /// ToArrowSchema of the projection.
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  /// The indexes of the file's top-level columns that are needed, ascending.
  const std::vector<int>& needed() const { return needed_; }

  /// The projection's columns of rows whose columns are those needed(), in that order.
  Result<std::shared_ptr<arrow::RecordBatch>> Project(const arrow::RecordBatch& rows) const;

 private:
  struct Source {
    int needed = -1;                               ///< Index into needed(); -1: the file lacks the column,
    std::shared_ptr<arrow::Scalar> missing_value;  ///< and each of its rows has this value.
  };

  Schema projection_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<FileColumn> file_columns_;
  std::vector<int> needed_;
  std::vector<Source> sources_;  ///< By column of the projection.
};

}  // namespace firn::iceberg
