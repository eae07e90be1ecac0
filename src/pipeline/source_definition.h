// What an Iceberg table's properties say of the source table that it follows: as it was when the schema last followed
// it (docs/snapshot_summary.md).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "model/source_table.h"

namespace firn::pipeline {

inline constexpr char kSourceTableProperty[] = "firn.source.table";      ///< "public.orders"
inline constexpr char kSourceOidProperty[] = "firn.source.oid";          ///< pg_class.oid
inline constexpr char kSourceColumnsProperty[] = "firn.source.columns";  ///< attnum to field id: "1:1,2:2,5:3"
inline constexpr char kSourceDroppedProperty[] = "firn.source.dropped";  ///< The same of columns that are gone.
inline constexpr char kSourceKeyProperty[] = "firn.source.key";          ///< Replica identity and key attnums: "d:1,3"
inline constexpr char kSourceAttributesProperty[] = "firn.source.attributes";    ///< attnum:xmin of pg_attribute
inline constexpr char kSourceFilesProperty[] = "firn.source.files";              ///< oid:relfilenode of each heap
inline constexpr char kSourceTypesProperty[] = "firn.source.types";              ///< oid:hash of each part of its types
inline constexpr char kSourcePublicationProperty[] = "firn.source.publication";  ///< TableVersion::membership
inline constexpr char kSourceLsnProperty[] = "firn.source.lsn";                  ///< Where that was read.
// The same of a definition before: changes of the stream that the table doesn't have yet are of that one or later.
inline constexpr char kSourceBeforeAttributesProperty[] = "firn.source.before.attributes";
inline constexpr char kSourceBeforeLsnProperty[] = "firn.source.before.lsn";

using AttnumToField = std::vector<std::pair<int16_t, iceberg::FieldId>>;
/// Among `dropped`: the column was one of a table that had this name before.
inline constexpr int16_t kEarlierTable = 0;
using AttnumToXmin = std::vector<std::pair<int16_t, uint32_t>>;

struct StoredDefinition {
  std::string table;  ///< Its name, as text; empty for a table that firn didn't make.
  TableOid oid;
  AttnumToField columns;
  AttnumToField dropped;
  std::string key;
  AttnumToXmin attributes;                                ///< All rows of pg_attribute.
  std::vector<std::pair<uint32_t, uint32_t>> files;       ///< oid, relfilenode
  std::vector<std::pair<uint32_t, uint32_t>> type_parts;  ///< oid, hash
  std::string membership;                                 ///< In the publication; empty where it isn't known.
  Lsn read_at;
  AttnumToXmin before_attributes;
  Lsn before_read_at;  ///< Invalid where no definition before is known.
};

/// kCorrupt for a property that is not what it must be.
Result<StoredDefinition> ReadStoredDefinition(const iceberg::TableMetadata& metadata);

/// Whether the columns or the key of the source table are others than those that the Iceberg table last followed, as
/// far as that is known.
bool IsAltered(const StoredDefinition& stored, const SourceTable& source);
/// Whether rows that were told apart by all of their columns have got a key.
bool HasGotKey(const StoredDefinition& stored, const SourceTable& source);

/// The properties of a table that follows `source` with these columns.
iceberg::Properties DefinitionProperties(const SourceTable& source, const AttnumToField& columns,
                                         const AttnumToField& dropped);
/// Those of the definition before.
iceberg::Properties BeforeProperties(const AttnumToXmin& attributes, Lsn read_at);

}  // namespace firn::pipeline
