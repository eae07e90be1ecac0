// Where the rows with certain keys lie, by reading the table: for what a table without an index needs to know.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "iceberg/table_files.h"
#include "storage/file_store.h"

namespace arrow {
class RecordBatch;
}

namespace firn::pipeline {

struct RowPlace {
  std::string location;
  uint32_t row = 0;
  bool operator==(const RowPlace&) const = default;
};

/// For each row of `keys`, the place of the table's row with that key, at its current snapshot; nothing where there is
/// none. `keys` has ToArrowSchema(key_schema)'s columns, whose values are unique in the table. Reads the key columns of
/// the files whose bounds allow one of the keys, newest first: of several rows with a key that are not deleted by
/// place, the newest is the live one, for equality deletes apply to older rows.
Result<std::vector<std::optional<RowPlace>>> FindRowsByKey(storage::FileStore& store,
                                                           const iceberg::TableMetadata& metadata,
                                                           iceberg::ManifestCache& manifests,
                                                           const iceberg::Schema& key_schema,
                                                           const arrow::RecordBatch& keys);

}  // namespace firn::pipeline
