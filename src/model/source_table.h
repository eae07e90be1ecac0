// A table of the source as PostgreSQL's catalogs describe it. Plain data.
#pragma once

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

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
  int64_t pages = 0;           ///< Heap size in blocks, as pg_relation_size says.

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
