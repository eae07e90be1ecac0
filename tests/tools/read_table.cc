// Reads an Iceberg table with firn's own reader, so that the tests can compare what it sees.
//
//   firn_read_table [--row-lineage] METADATA_LOCATION
//
// Standard output has a JSON line per row. Values that JSON has no type for are objects of one member that names the
// type, as in tests/java/ReadTable.java.
#include <arrow/record_batch.h>

#include <iostream>
#include <string>
#include <string_view>

#include "base/try.h"
#include "iceberg/json_member.h"
#include "iceberg/reserved_fields.h"
#include "iceberg/table_metadata_json.h"
#include "iceberg/table_scan.h"
#include "storage/local_file_store.h"
#include "value_json.h"

namespace firn::iceberg {
namespace {

Status PrintTable(storage::FileStore& store, const std::string& metadata_location, bool row_lineage) {
  TRY(const std::string content, store.Read(metadata_location));
  TRY(const Json json, ParseJson(content));
  TRY(TableMetadata parsed, TableMetadataFromJson(json));
  const auto metadata = std::make_shared<const TableMetadata>(std::move(parsed));
  Schema projection = metadata->CurrentSchema();
  if (row_lineage) {
    projection.fields.push_back(RowIdField());
    projection.fields.push_back(LastUpdatedField());
  }
  ManifestCache manifests;
  TRY(TableScan scan, TableScan::Plan(store, metadata, metadata->CurrentSnapshot(), projection, manifests));
  for (const LiveDataFile& file : scan.files()) {
    TRY(auto reader, scan.Open(file));
    while (true) {
      TRY(const auto live, reader->Next());
      if (!live) break;
      for (int64_t row = 0; row < live->rows->num_rows(); ++row) {
        Json line = Json::object();
        for (size_t i = 0; i < projection.fields.size(); ++i) {
          const Field& field = projection.fields[i];
          TRY(line[field.name], ValueToJson(field.type, *live->rows->column(static_cast<int>(i)), row));
        }
        std::cout << DumpJson(line) << '\n';
      }
    }
  }
  return {};
}

}  // namespace
}  // namespace firn::iceberg

int main(int count, char** arguments) {
  if (count < 2) {
    std::cerr << "usage: firn_read_table [--row-lineage] METADATA_LOCATION\n";
    return 2;
  }
  const bool row_lineage = count > 2 && std::string_view(arguments[1]) == "--row-lineage";
  const auto store = firn::storage::MakeLocalFileStore();
  const firn::Status printed = firn::iceberg::PrintTable(*store, arguments[count - 1], row_lineage);
  if (printed.has_value()) return 0;
  std::cerr << printed.error().message() << '\n';
  return 1;
}
