// Any bytes as a manifest of a table that is partitioned by a column of every type, and of one that isn't partitioned.
// What is read and can be written again must come back the same.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "expect.h"
#include "iceberg/manifest_avro.h"

namespace {

using namespace firn;
using namespace firn::iceberg;

TableMetadata Table(bool partitioned) {
  TableMetadata table{.format_version = 3, .location = "memory://t"};
  Schema schema;
  PartitionSpec spec;
  const auto add = [&](Type type) {
    const auto id = static_cast<FieldId>(schema.fields.size() + 1);
    const std::string name = fmt::format("c{}", id);
    schema.fields.push_back({.id = id, .name = name, .type = std::move(type)});
    if (partitioned) spec.fields.push_back({.source_id = id, .field_id = 999 + id, .name = name});
  };
  for (auto id = TypeId::kBoolean; id < TypeId::kVariant; id = static_cast<TypeId>(static_cast<int>(id) + 1)) {
    if (id != TypeId::kDecimal && id != TypeId::kFixed) add(Type::Primitive(id));
  }
  add(Type::Decimal(9, 2));
  add(Type::Decimal(38, 10));
  add(Type::Fixed(4));
  table.schemas = {schema};
  table.partition_specs = {spec};
  table.sort_orders = {SortOrder{}};
  return table;
}

bool HasNan(const DataFile& file) {
  for (const Literal& value : file.partition) {
    if (const auto* number = std::get_if<float>(&value); number != nullptr && std::isnan(*number)) return true;
    if (const auto* number = std::get_if<double>(&value); number != nullptr && std::isnan(*number)) return true;
  }
  return false;
}

void WriteAndReadAgain(const TableMetadata& table, std::vector<ManifestEntry> entries) {
  ManifestFile described{.sequence_number = 7, .added_snapshot_id = 11};
  for (const bool holds_deletes : {false, true}) {
    ManifestWriter writer(table, table.DefaultSpec(), holds_deletes, described.added_snapshot_id,
                          described.sequence_number);
    std::vector<ManifestEntry> written;
    for (ManifestEntry& entry : entries) {
      if ((entry.file.content != FileContent::kData) != holds_deletes || HasNan(entry.file)) continue;
      if (entry.status == EntryStatus::kAdded) entry.sequence_number = entry.file_sequence_number = 7;
      // Refused where a value is not of its field's type, as a uuid of three bytes isn't.
      if (writer.Add(entry).has_value()) written.push_back(entry);
    }
    const auto manifest = std::move(writer).Finish();
    fuzz::Expect(manifest.has_value(), "a manifest can be written");
    const auto again = ReadManifest(manifest->content, described, PartitionType(table, table.DefaultSpec()));
    fuzz::Expect(again.has_value(), "a manifest that firn wrote can be read");
    fuzz::Expect(*again == written, "a manifest's entries are those that were written");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const TableMetadata tables[] = {Table(true), Table(false)};
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  for (const TableMetadata& table : tables) {
    const ManifestFile described{.sequence_number = 5, .added_snapshot_id = 11};
    auto entries = ReadManifest(content, described, PartitionType(table, table.DefaultSpec()));
    if (entries.has_value()) {
      WriteAndReadAgain(table, std::move(*entries));
    } else {
      fuzz::ExpectFaultOfInput(entries.error());
    }
  }
  return 0;
}
