// Reads Iceberg tables with firn's own reader, so that the tests can compare what it sees.
//
//   firn_read_table [--row-lineage]
//
// Standard input has the location of a metadata file per line. For each, standard output has a JSON line per row and
// then
// {"end": {…facts}} or {"error": message}: as tests/java/ReadTable.java.
#include <arrow/record_batch.h>
#include <fmt/core.h>

#include <algorithm>
#include <iostream>
#include <string>

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
  int64_t row_count = 0;
  size_t deletes_max = 0;
  for (const LiveDataFile& file : scan.files()) {
    deletes_max = std::max(deletes_max, file.position_deletes.size() + file.equality_deletes.size());
    TRY(auto reader, scan.Open(file));
    while (true) {
      TRY(const auto live, reader->Next());
      if (!live) break;
      row_count += live->rows->num_rows();
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
  const Json facts = {
      {"rows", row_count}, {"data_files", scan.files().size()}, {"delete_files_per_data_file_max", deletes_max}};
  std::cout << DumpJson(Json::object({{"end", facts}})) << '\n';
  return {};
}

}  // namespace
}  // namespace firn::iceberg

int main(int count, char** arguments) {
  using firn::iceberg::Json;
  const bool row_lineage = count > 1 && std::string_view(arguments[1]) == "--row-lineage";
  const auto store = firn::storage::MakeLocalFileStore({});
  std::string location;
  while (std::getline(std::cin, location)) {
    const firn::Status printed = firn::iceberg::PrintTable(*store, location, row_lineage);
    if (!printed) {
      std::cout << firn::iceberg::DumpJson(Json::object({{"error", printed.error().message()}})) << '\n';
    }
    std::cout.flush();
  }
  return 0;
}
