// A table of the source as PostgreSQL's catalogs describe it. Plain data.
#pragma once

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/lsn.h"

namespace firn {

/// pg_class.oid
struct TableOid {
  uint32_t value = 0;
  auto operator<=>(const TableOid&) const = default;
};

/// pg_type.oid
using TypeOid = uint32_t;

/// A table's name as PostgreSQL stores it, unquoted and with its case kept.
struct TableName {
  std::string schema;
  std::string name;
  auto operator<=>(const TableName&) const = default;
};

inline std::string ToString(const TableName& table) { return table.schema + "." + table.name; }

struct SourceColumn {
  int16_t attnum = 0;  ///< pg_attribute.attnum: never reused, so it follows a column through renames.
  std::string name;
  TypeOid type_oid = 0;        ///< A domain's base type stands here.
  int32_t type_modifier = -1;  ///< pg_attribute.atttypmod: precision and scale of a numeric, for one.
  std::string type_name;       ///< format_type(): "numeric(10,2)", for messages.
  /// Of an array (a type whose output function is array_out) its element type, after domains; else 0. type_modifier is
  /// then the element's.
  TypeOid element_oid = 0;
  TypeOid element_domain_oid = 0;  ///< pg_type.typelem where that is a domain: what array_send says; else 0.
  char element_kind = 'b';         ///< pg_type.typtype of element_oid.
  char element_delimiter = ',';    ///< pg_type.typdelim of the element type: ';' for box.
  char type_kind = 'b';  ///< pg_type.typtype after domains: b base, c composite, e enum, r range, m multirange.
  bool not_null = false;
  /// pg_attribute.atttypid and atttypmod, as the stream names them: a domain stays a domain.
  TypeOid declared_type_oid = 0;
  int32_t declared_type_modifier = -1;
  /// What a row holds that was written before the column was added: the text form of ADD COLUMN's constant default
  /// (pg_attribute.attmissingval). Nothing: NULL, or no such row is left.
  std::optional<std::string> missing_value;
};

/// A row of pg_attribute, those of dropped and generated columns included.
struct AttributeVersion {
  int16_t attnum = 0;
  uint32_t xmin = 0;  ///< The transaction that made or last changed it.
  bool dropped = false;
  bool generated = false;
  bool operator==(const AttributeVersion&) const = default;
};

/// A heap that a table's rows lie in: its own, or that of one of its partitions.
struct TableHeap {
  TableOid oid;
  uint32_t file = 0;               ///< pg_class.relfilenode: another one after a rewrite or a TRUNCATE.
  bool made_as_partition = false;  ///< CREATE TABLE … PARTITION OF, unchanged since: it had no rows when it came.
};

/// A part of a type that decides how values look which are there already: a label of an enum, the attributes of a
/// composite type.
struct TypePart {
  uint32_t oid = 0;   ///< pg_enum.oid, or pg_type.oid of the composite type.
  uint32_t hash = 0;  ///< Of what it is now.
};

/// What tells one definition of a table from another, and whether its rows may have been rewritten in between.
struct TableVersion {
  std::vector<AttributeVersion> attributes;  ///< By attnum.
  std::vector<TableHeap> heaps;              ///< By OID.
  std::vector<TypePart> type_parts;          ///< Of the columns' types, by OID.
  /// Equal as long as nothing that firn follows has changed: names, columns, key, replica identity, partitions.
  std::string fingerprint;
  /// What makes it part of the publication, and the publication's version (postgres::ReadMemberships): others where it
  /// was taken out meanwhile.
  std::string membership;
  /// Every change of the table that is in a transaction whose commit record lies at or after it was made under this
  /// definition, or a later one: those under earlier definitions had to end before it could come to be.
  Lsn read_at;
};

/// pg_class.relreplident: what an UPDATE or DELETE tells of the old row.
enum class ReplicaIdentity : char { kDefault = 'd', kNothing = 'n', kFull = 'f', kIndex = 'i' };

struct SourceTable {
  TableOid oid;
  TableName name;
  std::vector<SourceColumn> columns;  ///< Replicated ones, by attnum: not dropped, and generated where they are sent.
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  /// Indexes into `columns`, in the key's order: the primary key, or the identity index's columns where the replica
  /// identity is an index. Empty for a table without either.
  std::vector<int> key_columns;
  int64_t estimated_rows = 0;  ///< pg_class.reltuples; -1 when never analyzed.
  int64_t pages = 0;           ///< Heap size in blocks: an estimate unless postgres::ReadSizes made it exact.
  TableVersion version;

  /// Whether PostgreSQL can tell firn which row an UPDATE or DELETE touched.
  bool HasReplicaIdentity() const {
    return replica_identity == ReplicaIdentity::kFull ||
           (replica_identity != ReplicaIdentity::kNothing && !key_columns.empty());
  }
};

}  // namespace firn

template <>
struct fmt::formatter<firn::TableName> : fmt::formatter<std::string> {
  auto format(const firn::TableName& table, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(firn::ToString(table), context);
  }
};
