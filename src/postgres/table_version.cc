#include "postgres/table_version.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "base/try.h"
#include "postgres/tables_by_oid.h"

namespace firn::postgres {
namespace {

/// The heaps of partitioned table `c`: its leaves, at any depth; with the attnums of the index, if any, that is a
/// leaf's replica identity.
constexpr std::string_view kLeaves = R"(
  WITH RECURSIVE tree(oid) AS (
    SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid
    UNION ALL
    SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
  SELECT l.oid, l.relfilenode, l.reltype, l.relreplident, (i.indkey::int2[])[0:i.indnkeyatts - 1] AS identity
    FROM tree JOIN pg_class l ON l.oid = tree.oid
         LEFT JOIN pg_index i ON i.indrelid = l.oid AND i.indimmediate AND i.indisvalid AND
                   CASE l.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
   WHERE l.relkind = 'r')";

/// What decides how values of the types of table `c` look: the labels of enums, the attributes of composite types;
/// those of arrays, domains, ranges and nested types included. PostgreSQL's own types, below 16384, stay as they are.
constexpr std::string_view kTypeParts = R"(
  WITH RECURSIVE used(type) AS (
    SELECT a.atttypid FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION
    SELECT inner_type.oid FROM used u JOIN pg_type t ON t.oid = u.type CROSS JOIN LATERAL (
      SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
      UNION ALL SELECT t.typelem WHERE t.typtype = 'b' AND t.typelem <> 0
      UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.typtype = 'r' AND r.rngtypid = t.oid
      UNION ALL SELECT r.rngtypid FROM pg_range r
                 WHERE t.typtype = 'm' AND to_jsonb(r) ->> 'rngmultitypid' = t.oid::text
      UNION ALL SELECT a.atttypid FROM pg_attribute a
                 WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) inner_type)
  SELECT e.oid, e.enumlabel::text AS form FROM used u JOIN pg_enum e ON e.enumtypid = u.type
  UNION ALL
  SELECT t.oid, (SELECT string_agg(a.atttypid::text, ',' ORDER BY a.attnum) FROM pg_attribute a
                  WHERE a.attrelid = t.typrelid AND a.attnum > 0)
    FROM used u JOIN pg_type t ON t.oid = u.type WHERE t.typtype = 'c')";

/// Of `c` and its namespace `n`. A row of pg_attribute has another xmin after each change, so that it need not be
/// looked into. The heap of an ordinary table is left out: a TRUNCATE comes through the stream, VACUUM FULL and CLUSTER
/// keep the rows, and a rewrite that changes values changes pg_attribute, too. Those of partitions are in, because a
/// partition that is detached, dropped or truncated takes its rows along without a word in the stream. So are their
/// replica identities, which decide what the stream tells of their old rows.
std::string FingerprintExpression() {
  return fmt::format(R"(md5(concat_ws(E'\x1f', n.nspname, c.relname, c.relreplident, c.relkind, c.relpersistence,
    (SELECT string_agg(a.attnum || ':' || a.xmin, ',' ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated IN ('', 's')),
    (SELECT string_agg(concat_ws(':', i.indkey, i.indnkeyatts, i.indisprimary, i.indisreplident, i.indimmediate,
                                 i.indisvalid), ',' ORDER BY i.indkey::text)
       FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident)),
    CASE WHEN c.relkind = 'p' THEN
      (SELECT string_agg(concat_ws(':', leaf.oid, leaf.relfilenode, leaf.relreplident, leaf.identity), ','
                         ORDER BY leaf.oid) FROM ({}) leaf) END,
    (SELECT string_agg(part.oid || ':' || part.form, ',' ORDER BY part.oid) FROM ({}) part))))",
                     kLeaves, kTypeParts);
}

template <typename Number>
Number ToNumber(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

constexpr char kVersionMark = 'v';

/// What a membership says of the publication's row in pg_publication.
struct PublicationVersion {
  std::string_view xmin;
  std::string_view operations;  ///< "iudt": all of them.
  std::string_view others;      ///< Of its other columns.
};

std::optional<PublicationVersion> VersionIn(std::string_view membership) {
  const size_t comma = membership.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? membership : membership.substr(comma + 1);
  const size_t first_dot = last.find('.'), second_dot = last.rfind('.');
  if (!last.starts_with(kVersionMark) || first_dot == second_dot) return std::nullopt;
  return PublicationVersion{.xmin = last.substr(1, first_dot - 1),
                            .operations = last.substr(first_dot + 1, second_dot - first_dot - 1),
                            .others = last.substr(second_dot + 1)};
}

}  // namespace

Status ReadTableVersions(Connection& connection, std::span<SourceTable> tables) {
  const TablesByOid by_oid(tables);
  const std::string oids = by_oid.Array();
  TRY(const auto attributes, connection
                                 .Query(fmt::format(R"(
    SELECT a.attrelid, a.attnum, a.xmin, a.attisdropped, a.attgenerated <> '', a.atttypid, a.atttypmod,
           CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END
      FROM pg_attribute a WHERE a.attrelid = ANY ({}) AND a.attnum > 0 ORDER BY a.attrelid, a.attnum)",
                                                    oids))
                                 .Context("reading the columns of tables"));
  for (SourceTable& table : tables) table.version = {};
  for (int row = 0; row < attributes.rows(); ++row) {
    SourceTable& table = by_oid.Of(attributes.Get(row, 0));
    const AttributeVersion attribute{.attnum = ToNumber<int16_t>(attributes.Get(row, 1)),
                                     .xmin = ToNumber<uint32_t>(attributes.Get(row, 2)),
                                     .dropped = attributes.Get(row, 3) == "t",
                                     .generated = attributes.Get(row, 4) == "t"};
    table.version.attributes.push_back(attribute);
    auto column = std::ranges::find(table.columns, attribute.attnum, &SourceColumn::attnum);
    if (column == table.columns.end()) continue;
    column->declared_type_oid = ToNumber<TypeOid>(attributes.Get(row, 5));
    column->declared_type_modifier = ToNumber<int32_t>(attributes.Get(row, 6));
    if (!attributes.IsNull(row, 7)) column->missing_value = attributes.Get(row, 7);
  }

  // A partition that was attached, and not made as one, has pg_attribute rows that ATTACH PARTITION changed: none has
  // the command id of its pg_type row any more. (Those of columns with a default have none either way.)
  TRY(const auto heaps, connection
                            .Query(fmt::format(R"(
    SELECT c.oid, heap.oid, heap.relfilenode,
           c.relkind = 'p' AND EXISTS (
             SELECT FROM pg_type t JOIN pg_inherits i ON i.inhrelid = heap.oid
                         JOIN pg_attribute a ON a.attrelid = heap.oid AND a.attnum > 0
              WHERE t.oid = heap.reltype AND i.xmin = t.xmin AND a.xmin = t.xmin AND a.cmin::text = t.cmin::text)
      FROM pg_class c, LATERAL (
             SELECT c.oid, c.relfilenode, c.reltype WHERE c.relkind <> 'p' UNION ALL
             (SELECT leaf.oid, leaf.relfilenode, leaf.reltype FROM ({}) leaf)) heap
     WHERE c.oid = ANY ({}) ORDER BY c.oid, heap.oid)",
                                               kLeaves, oids))
                            .Context("reading the files of tables"));
  for (int row = 0; row < heaps.rows(); ++row) {
    by_oid.Of(heaps.Get(row, 0))
        .version.heaps.push_back({.oid = {ToNumber<uint32_t>(heaps.Get(row, 1))},
                                  .file = ToNumber<uint32_t>(heaps.Get(row, 2)),
                                  .made_as_partition = heaps.Get(row, 3) == "t"});
  }
  TRY(const auto parts,
      connection
          .Query(fmt::format("SELECT c.oid, part.oid, ('x' || substr(md5(part.form), 1, 8))::bit(32)::bigint "
                             "FROM pg_class c, LATERAL ({}) part WHERE c.oid = ANY ({}) ORDER BY c.oid, part.oid",
                             kTypeParts, oids))
          .Context("reading the types of tables"));
  for (int row = 0; row < parts.rows(); ++row) {
    by_oid.Of(parts.Get(row, 0))
        .version.type_parts.push_back(
            {.oid = ToNumber<uint32_t>(parts.Get(row, 1)), .hash = ToNumber<uint32_t>(parts.Get(row, 2))});
  }
  std::vector<TableOid> wanted;
  for (const SourceTable& table : tables) wanted.push_back(table.oid);
  TRY(std::vector<TableFingerprint> fingerprints, ReadFingerprints(connection, wanted));
  std::map<TableOid, std::string> fingerprint_of;
  for (TableFingerprint& found : fingerprints) fingerprint_of.emplace(found.oid, std::move(found.fingerprint));
  for (SourceTable& table : tables) table.version.fingerprint = fingerprint_of[table.oid];
  return {};
}

Result<std::vector<LeafIdentity>> ReadLeafIdentities(Connection& connection, const std::vector<TableOid>& oids) {
  std::string list;
  for (const TableOid oid : oids) list += fmt::format("{}{}", list.empty() ? "" : ",", oid.value);
  TRY(const auto found, connection
                            .Query(fmt::format(R"(
    SELECT c.oid, leaf.oid, n.nspname, l.relname, leaf.relreplident, a.attname
      FROM pg_class c CROSS JOIN LATERAL ({}) leaf
      JOIN pg_class l ON l.oid = leaf.oid JOIN pg_namespace n ON n.oid = l.relnamespace
      LEFT JOIN pg_attribute a ON a.attrelid = leaf.oid AND a.attnum = ANY (leaf.identity)
     WHERE c.oid = ANY ('{{{}}}'::oid[]) AND c.relkind = 'p' ORDER BY c.oid, leaf.oid, a.attnum)",
                                               kLeaves, list))
                            .Context("reading the replica identities of partitions"));
  std::vector<LeafIdentity> leaves;
  for (int row = 0; row < found.rows(); ++row) {
    const TableOid table{ToNumber<uint32_t>(found.Get(row, 0))}, oid{ToNumber<uint32_t>(found.Get(row, 1))};
    if (leaves.empty() || leaves.back().table != table || leaves.back().oid != oid) {
      leaves.push_back({.table = table,
                        .oid = oid,
                        .name = {std::string(found.Get(row, 2)), std::string(found.Get(row, 3))},
                        .identity = static_cast<ReplicaIdentity>(found.Get(row, 4).front())});
    }
    if (!found.IsNull(row, 5)) leaves.back().columns.emplace_back(found.Get(row, 5));
  }
  return leaves;
}

Result<bool> IsUnaltered(Connection& connection, const SourceTable& table) {
  SourceTable now{.oid = table.oid, .name = table.name};
  TRY_VOID(ReadTableVersions(connection, std::span(&now, 1)));
  return now.version.fingerprint == table.version.fingerprint &&
         std::ranges::equal(now.version.heaps, table.version.heaps, {}, &TableHeap::file, &TableHeap::file);
}

Result<std::vector<TableFingerprint>> ReadFingerprints(Connection& connection, const std::vector<TableOid>& oids) {
  std::string list;
  for (const TableOid oid : oids) list += fmt::format("{}{}", list.empty() ? "" : ",", oid.value);
  TRY(const auto found,
      connection
          .Query(fmt::format("SELECT c.oid, n.nspname, c.relname, {} FROM pg_class c JOIN pg_namespace n "
                             "ON n.oid = c.relnamespace WHERE c.oid = ANY ('{{{}}}'::oid[]) ORDER BY c.oid",
                             FingerprintExpression(), list))
          .Context("looking for changed tables"));
  std::vector<TableFingerprint> tables;
  for (int row = 0; row < found.rows(); ++row) {
    tables.push_back({.oid = {ToNumber<uint32_t>(found.Get(row, 0))},
                      .name = {std::string(found.Get(row, 1)), std::string(found.Get(row, 2))},
                      .fingerprint = std::string(found.Get(row, 3))});
  }
  return tables;
}

Result<std::map<TableName, TableOid>> FindTables(Connection& connection, const std::vector<TableName>& names) {
  std::string list;
  for (const TableName& name : names) {
    list += fmt::format("{}({}, {})", list.empty() ? "" : ", ", QuoteLiteral(name.schema), QuoteLiteral(name.name));
  }
  std::map<TableName, TableOid> tables;
  if (names.empty()) return tables;
  TRY(const auto found, connection
                            .Query(fmt::format("SELECT n.nspname, c.relname, c.oid FROM pg_class c JOIN pg_namespace n "
                                               "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND "
                                               "(n.nspname, c.relname) IN ({})",
                                               list))
                            .Context("looking for tables by their names"));
  for (int row = 0; row < found.rows(); ++row) {
    tables.emplace(TableName{std::string(found.Get(row, 0)), std::string(found.Get(row, 1))},
                   TableOid{ToNumber<uint32_t>(found.Get(row, 2))});
  }
  return tables;
}

Result<std::map<TableOid, std::string>> ReadMemberships(Connection& connection, const std::string& publication,
                                                        const std::vector<TableOid>& oids) {
  constexpr std::string_view kSchemas = R"(
           UNION SELECT f.oid, 'n' || s.oid FROM family f JOIN pg_class c ON c.oid = f.relid
             JOIN pg_publication_namespace s ON s.pnnspid = c.relnamespace JOIN wanted p ON p.oid = s.pnpubid)";
  std::map<TableOid, std::string> memberships;
  if (oids.empty()) return memberships;
  std::string list;
  for (const TableOid oid : oids) list += fmt::format("{}{}", list.empty() ? "" : ",", oid.value);
  TRY(const auto found,
      connection
          .Query(fmt::format(R"(
    WITH wanted AS (
           SELECT p.oid, p.puballtables,
                  concat('v', p.xmin, '.', CASE WHEN p.pubinsert THEN 'i' END, CASE WHEN p.pubupdate THEN 'u' END,
                         CASE WHEN p.pubdelete THEN 'd' END, CASE WHEN p.pubtruncate THEN 't' END, '.',
                         left(md5((to_jsonb(p) - ARRAY['pubinsert', 'pubupdate', 'pubdelete', 'pubtruncate'])::text), 8)
                        ) AS version
             FROM pg_publication p WHERE p.pubname = {0}),
         tables(oid) AS (SELECT c.oid FROM pg_class c WHERE c.oid = ANY ('{{{1}}}'::oid[])),
         family(oid, relid) AS (
           SELECT t.oid, t.oid FROM tables t
           UNION SELECT c.oid, a.relid FROM tables t JOIN pg_class c ON c.oid = t.oid AND c.relispartition,
                        pg_partition_ancestors(c.oid) a),
         entries(oid, entry) AS (
           SELECT t.oid, 'p' || p.oid FROM tables t, wanted p WHERE p.puballtables
           UNION SELECT f.oid, 'r' || r.oid FROM family f JOIN pg_publication_rel r ON r.prrelid = f.relid
             JOIN wanted p ON p.oid = r.prpubid {2})
    SELECT oid, string_agg(entry, ',' ORDER BY entry) || (SELECT ',' || version FROM wanted) FROM entries GROUP BY oid)",
                             QuoteLiteral(publication), list, connection.server_version() >= 150000 ? kSchemas : ""))
          .Context("reading which tables publication {} has", publication));
  for (int row = 0; row < found.rows(); ++row) {
    memberships.emplace(TableOid{ToNumber<uint32_t>(found.Get(row, 0))}, found.Get(row, 1));
  }
  return memberships;
}

bool ShareEntry(std::string_view before, std::string_view now) {
  while (!before.empty()) {
    const std::string_view entry = before.substr(0, before.find(','));
    before.remove_prefix(std::min(before.size(), entry.size() + 1));
    if (entry.starts_with(kVersionMark)) continue;
    const size_t place = fmt::format(",{},", now).find(fmt::format(",{},", entry));
    if (place != std::string::npos) return true;
  }
  return false;
}

bool MayHaveLeftOut(std::string_view before, std::string_view now) {
  const auto then = VersionIn(before), current = VersionIn(now);
  if (!then || !current || then->xmin == current->xmin || current->operations != "iudt") return false;
  return then->operations != current->operations || then->others == current->others;
}

Result<bool> HaveEnded(Connection& connection, std::span<const Xid> transactions) {
  if (transactions.empty()) return true;
  TRY(const auto running, connection
                              .Query(fmt::format("SELECT FROM pg_locks WHERE locktype = 'transactionid' AND mode = "
                                                 "'ExclusiveLock' AND transactionid = ANY ('{{{}}}'::xid[])",
                                                 fmt::join(transactions, ",")))
                              .Context("looking for transactions that end"));
  return running.rows() == 0;
}

Result<Lsn> ReadDefinitionLsn(Connection& connection) {
  TRY(const auto row, connection
                          .Query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                                 "ELSE pg_current_wal_insert_lsn() END")
                          .Context("reading the end of the WAL"));
  return Lsn::Parse(row.Get(0, 0)).Context("reading the end of the WAL");
}

}  // namespace firn::postgres
