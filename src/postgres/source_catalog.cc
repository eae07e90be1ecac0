#include "postgres/source_catalog.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "postgres/table_version.h"
#include "postgres/tables_by_oid.h"

namespace firn::postgres {
namespace {

using std::chrono::milliseconds;

/// The comment on a publication that firn made.
constexpr std::string_view kMadeByFirn = "made by firn";

/// Also what a stop waits for.
constexpr milliseconds kCatalogLockTimeout{3'000};

bool IsTrue(std::string_view text) { return text == "t"; }

/// The catalogs' own numbers: no error to expect.
int64_t ToInt(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string Quoted(const TableName& table) { return QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name); }

// ---- Patterns ----

/// One part (schema or table) of a pattern.
struct PartPattern {
  std::string text;
  bool quoted = false;  ///< Wildcards stand for themselves.
};

struct TablePattern {
  bool negated = false;
  PartPattern schema{.text = "public"};
  PartPattern table;
};

TablePattern ParsePattern(std::string_view text) {
  TablePattern pattern;
  if (text.starts_with('!')) {
    pattern.negated = true;
    text.remove_prefix(1);
  }
  bool has_schema = false, in_quotes = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      if (in_quotes && i + 1 < text.size() && text[i + 1] == '"') {
        pattern.table.text += c;
        ++i;
      } else {
        in_quotes = !in_quotes;
        pattern.table.quoted = true;
      }
    } else if (c == '.' && !in_quotes && !has_schema) {
      has_schema = true;
      pattern.schema = std::move(pattern.table);
      pattern.table = {};
    } else {
      pattern.table.text += c;
    }
  }
  return pattern;
}

/// The bytes of the UTF-8 character at the front of `text`.
size_t CharacterSize(std::string_view text) {
  size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) ++size;
  return size;
}

/// Goes back only to the last `*`: linear for one star, never exponential.
bool MatchesGlob(std::string_view text, std::string_view glob) {
  std::optional<std::string_view> glob_after_star;
  std::string_view text_at_star;
  while (!text.empty()) {
    if (glob.starts_with('*')) {
      glob.remove_prefix(1);
      glob_after_star = glob;
      text_at_star = text;
    } else if (glob.starts_with('?')) {
      glob.remove_prefix(1);
      text.remove_prefix(CharacterSize(text));
    } else if (!glob.empty() && glob.front() == text.front()) {
      glob.remove_prefix(1);
      text.remove_prefix(1);
    } else if (glob_after_star) {
      text_at_star.remove_prefix(CharacterSize(text_at_star));
      text = text_at_star;
      glob = *glob_after_star;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*') == std::string_view::npos;
}

bool MatchesPart(std::string_view text, const PartPattern& part) {
  return part.quoted ? text == part.text : MatchesGlob(text, part.text);
}

bool Matches(const TableName& table, const TablePattern& pattern) {
  return MatchesPart(table.schema, pattern.schema) && MatchesPart(table.name, pattern.table);
}

bool IsNamedExactly(const TableName& table, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& text) {
    const TablePattern pattern = ParsePattern(text);
    return !pattern.negated && table == TableName{pattern.schema.text, pattern.table.text};
  });
}

// ---- Publications ----

/// "ONLY": descendants of an inheritance parent are tables of their own; for a partitioned table it changes nothing.
std::string TableList(const std::vector<TableName>& tables) {
  std::string list;
  for (const TableName& table : tables) list += (list.empty() ? "ONLY " : ", ONLY ") + Quoted(table);
  return list;
}

/// Which right a failed CREATE or ALTER PUBLICATION lacked. The server names one at a time and no remedy.
Error MissingRights(Connection& connection, Error refused, const std::string& sql,
                    const std::vector<TableName>& tables) {
  std::string owned_by_others;
  for (const TableName& table : tables) {
    auto owner = connection.Query(
        fmt::format("SELECT pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                    "WHERE n.nspname = {} AND c.relname = {} AND NOT pg_has_role(current_user, c.relowner, 'USAGE')",
                    QuoteLiteral(table.schema), QuoteLiteral(table.name)));
    if (!owner.has_value()) return refused;
    if (owner->rows() == 0) continue;
    owned_by_others += fmt::format("{}{} (owner {})", owned_by_others.empty() ? "" : ", ", table, owner->Get(0, 0));
  }
  auto facts =
      connection.Query("SELECT has_database_privilege(current_database(), 'CREATE'), current_database(), current_user");
  if (!facts.has_value() || facts->rows() == 0) return refused;
  const std::string user = QuoteIdentifier(facts->Get(0, 2));
  std::string remedy;
  if (!IsTrue(facts->Get(0, 0))) {
    remedy += fmt::format("GRANT CREATE ON DATABASE {} TO {}; ", QuoteIdentifier(facts->Get(0, 1)), user);
  }
  if (!owned_by_others.empty()) {
    remedy += fmt::format("role {} must own, or be a member of the role that owns, {}; ", user, owned_by_others);
  }
  return Error(refused.kind(), fmt::format("{}; {}or let a role that may run: {}", refused.message(), remedy, sql),
               refused.origin(), refused.native_code());
}

Status ChangePublication(Connection& connection, const std::string& sql, const std::vector<TableName>& tables) {
  auto changed = connection.Query(sql);
  if (changed.has_value()) return {};
  if (changed.error().kind() != ErrorKind::kPermission) return changed.error();
  return MissingRights(connection, std::move(changed.error()), sql, tables);
}

/// Of a publication: its relations with a row filter or a column list, each with those of its partition tree.
Result<std::vector<PartlyPublished>> ReadPartlyPublished(Connection& connection, const std::string& publication) {
  std::vector<PartlyPublished> partly;
  if (connection.server_version() < 150000) return partly;
  TRY(const auto found, connection
                            .Query(fmt::format(R"(
    SELECT n.nspname, c.relname, rn.nspname, rc.relname
      FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
      JOIN pg_class rc ON rc.oid = r.prrelid JOIN pg_namespace rn ON rn.oid = rc.relnamespace
      CROSS JOIN LATERAL (SELECT rc.oid UNION SELECT relid FROM pg_partition_ancestors(rc.oid)
                          UNION SELECT relid FROM pg_partition_tree(rc.oid)) family(relid)
      JOIN pg_class c ON c.oid = family.relid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE p.pubname = {} AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)
     ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", rn.nspname COLLATE "C", rc.relname COLLATE "C")",
                                               QuoteLiteral(publication)))
                            .Context("reading the row filters and column lists of publication {}", publication));
  for (int row = 0; row < found.rows(); ++row) {
    partly.push_back({.table = {std::string(found.Get(row, 0)), std::string(found.Get(row, 1))},
                      .relation = {std::string(found.Get(row, 2)), std::string(found.Get(row, 3))}});
  }
  return partly;
}

/// What the view pg_publication_tables lists, which opens each table, and so waits for whoever has locked one.
std::string PublishedTables(int server_version, const std::string& publication) {
  constexpr std::string_view kOfSchemas = R"(
      UNION SELECT c.oid FROM candidates c JOIN pg_publication_namespace s ON s.pnnspid = c.relnamespace
                    JOIN publication p ON p.oid = s.pnpubid)";
  return fmt::format(R"(
    WITH RECURSIVE publication AS (SELECT p.oid, p.puballtables, {} AS via_root FROM pg_publication p
                                    WHERE p.pubname = {}),
    candidates AS (SELECT c.oid, c.relnamespace FROM pg_class c
                    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384),
    listed(oid) AS (
      SELECT r.prrelid FROM pg_publication_rel r JOIN publication p ON p.oid = r.prpubid
      UNION SELECT c.oid FROM candidates c, publication p WHERE p.puballtables {}),
    trees(oid) AS (
      SELECT l.oid FROM listed l
      UNION SELECT i.inhrelid FROM trees t JOIN pg_class c ON c.oid = t.oid AND c.relkind = 'p'
                     JOIN pg_inherits i ON i.inhparent = c.oid)
    SELECT n.nspname, c.relname FROM publication p, trees t JOIN pg_class c ON c.oid = t.oid
           JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE CASE WHEN p.via_root THEN NOT c.relispartition OR (
                  c.oid IN (SELECT l.oid FROM listed l) AND NOT EXISTS (
                    SELECT FROM pg_partition_ancestors(c.oid) a JOIN listed l ON l.oid = a.relid AND l.oid <> c.oid))
                ELSE c.relkind = 'r' END
     ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C")",
                     server_version >= 130000 ? "p.pubviaroot" : "false", publication,
                     server_version >= 150000 ? kOfSchemas : "");
}

// ---- Tables ----

/// Fills in the columns.
Status ReadColumns(Connection& connection, std::span<SourceTable> tables, GeneratedColumns generated) {
  const TablesByOid by_oid(tables);
  // A domain over a domain, at any depth, ends at its base type; each step's typmod replaces the one before
  // (getBaseTypeAndTypmod). The same for the element type of an array.
  TRY(const auto columns,
      connection
          .Query(fmt::format(R"(
    WITH RECURSIVE resolved(relid, attnum, type, typmod) AS (
      SELECT a.attrelid, a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a
       WHERE a.attrelid = ANY ({0}) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated IN ({1})
      UNION ALL
      SELECT r.relid, r.attnum, t.typbasetype, t.typtypmod
        FROM resolved r JOIN pg_type t ON t.oid = r.type WHERE t.typtype = 'd'
    ), element(relid, attnum, type, typmod, declared) AS (
      SELECT r.relid, r.attnum, t.typelem, r.typmod, t.typelem FROM resolved r JOIN pg_type t ON t.oid = r.type
       WHERE t.typoutput = 'pg_catalog.array_out'::regproc AND t.typtype <> 'd'
      UNION ALL
      SELECT e.relid, e.attnum, t.typbasetype, t.typtypmod, e.declared FROM element e JOIN pg_type t ON t.oid = e.type
       WHERE t.typtype = 'd'
    )
    SELECT a.attnum, a.attname, r.type, coalesce(e.typmod, r.typmod), format_type(a.atttypid, a.atttypmod),
           coalesce(e.type, 0), CASE WHEN e.declared <> e.type THEN e.declared ELSE 0 END, coalesce(et.typtype, 'b'),
           coalesce((SELECT d.typdelim FROM pg_type d WHERE d.oid = e.declared), ','), t.typtype, a.attnotnull,
           a.attrelid
      FROM resolved r JOIN pg_type t ON t.oid = r.type AND t.typtype <> 'd'
      JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum = r.attnum
      LEFT JOIN (element e JOIN pg_type et ON et.oid = e.type AND et.typtype <> 'd')
        ON e.relid = a.attrelid AND e.attnum = a.attnum
     ORDER BY a.attrelid, a.attnum)",
                             by_oid.Array(), generated == GeneratedColumns::kStored ? "'', 's'" : "''"))
          .Context("reading the columns of tables"));
  for (int row = 0; row < columns.rows(); ++row) {
    by_oid.Of(columns.Get(row, 11))
        .columns.push_back({.attnum = static_cast<int16_t>(ToInt(columns.Get(row, 0))),
                            .name = std::string(columns.Get(row, 1)),
                            .type_oid = static_cast<TypeOid>(ToInt(columns.Get(row, 2))),
                            .type_modifier = static_cast<int32_t>(ToInt(columns.Get(row, 3))),
                            .type_name = std::string(columns.Get(row, 4)),
                            .element_oid = static_cast<TypeOid>(ToInt(columns.Get(row, 5))),
                            .element_domain_oid = static_cast<TypeOid>(ToInt(columns.Get(row, 6))),
                            .element_kind = columns.Get(row, 7).front(),
                            .element_delimiter = columns.Get(row, 8).front(),
                            .type_kind = columns.Get(row, 9).front(),
                            .not_null = IsTrue(columns.Get(row, 10))});
  }
  return {};
}

/// Fills in the keys of tables whose columns are read.
Status ReadKeys(Connection& connection, std::span<SourceTable> tables) {
  const TablesByOid by_oid(tables);
  // A deferrable key is none: rows may share it inside a transaction, and PostgreSQL won't use it as identity.
  TRY(const auto keys, connection
                           .Query(fmt::format(R"(
    SELECT i.indrelid, k.attnum FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid,
           unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, position)
     WHERE i.indrelid = ANY ({}) AND CASE WHEN c.relreplident = 'i' THEN i.indisreplident ELSE i.indisprimary END
       AND i.indimmediate AND i.indisvalid AND k.position <= i.indnkeyatts
     ORDER BY i.indrelid, k.position)",
                                              by_oid.Array()))
                           .Context("reading the keys of tables"));
  std::set<TableOid> without_key;
  for (int row = 0; row < keys.rows(); ++row) {
    SourceTable& table = by_oid.Of(keys.Get(row, 0));
    const auto column = std::ranges::find(table.columns, ToInt(keys.Get(row, 1)), &SourceColumn::attnum);
    if (column == table.columns.end()) {  // A generated column, which is not replicated, is part of it.
      without_key.insert(table.oid);
    } else {
      table.key_columns.push_back(static_cast<int>(column - table.columns.begin()));
    }
  }
  for (SourceTable& table : tables) {
    if (without_key.contains(table.oid)) table.key_columns.clear();
  }
  return {};
}

}  // namespace

Result<Connection> OpenForCatalogs(const ConnectionOptions& options) {
  TRY(Connection connection, Connection::Open(options));
  TRY_VOID(connection.Query(fmt::format("SET lock_timeout = {}", kCatalogLockTimeout.count())));
  return connection;
}

Result<ServerFacts> ReadServerFacts(Connection& connection) {
  // pg_control_system() is open to every role unless an administrator revoked it.
  TRY(const auto row, connection
                          .Query(R"(
    SELECT current_setting('server_version_num'), current_setting('wal_level'), current_database(), current_user,
           r.rolsuper,
           r.rolsuper OR r.rolreplication OR EXISTS (
             SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(current_user, m.oid, 'MEMBER')),
           has_database_privilege(current_database(), 'CREATE'),
           current_setting('max_replication_slots'), (SELECT count(*) FROM pg_replication_slots),
           has_function_privilege('pg_control_system()', 'EXECUTE') AND
           has_function_privilege('pg_control_checkpoint()', 'EXECUTE'),
           pg_is_in_recovery()
      FROM pg_roles r WHERE r.rolname = current_user)")
                          .Context("reading server settings"));
  if (row.rows() != 1) return MakeError(ErrorKind::kInternal, "reading server settings: {} rows", row.rows());
  ServerFacts facts{.version = static_cast<int>(ToInt(row.Get(0, 0))),
                    .wal_level = std::string(row.Get(0, 1)),
                    .in_recovery = IsTrue(row.Get(0, 10)),
                    .database = std::string(row.Get(0, 2)),
                    .user = std::string(row.Get(0, 3)),
                    .can_replicate = IsTrue(row.Get(0, 5)),
                    .can_create_in_database = IsTrue(row.Get(0, 6)),
                    .is_superuser = IsTrue(row.Get(0, 4)),
                    .max_replication_slots = static_cast<int>(ToInt(row.Get(0, 7))),
                    .used_replication_slots = static_cast<int>(ToInt(row.Get(0, 8)))};
  if (!IsTrue(row.Get(0, 9))) return facts;

  // After a promotion the control file names the old timeline until the next checkpoint; a WAL file name does not.
  TRY(const auto identity,
      connection
          .Query(fmt::format("SELECT system_identifier, {} FROM pg_control_system()",
                             facts.in_recovery
                                 ? "(SELECT timeline_id FROM pg_control_checkpoint())"
                                 : "('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int"))
          .Context("reading the system identifier"));
  facts.system_identifier = identity.Get(0, 0);
  facts.timeline = static_cast<int>(ToInt(identity.Get(0, 1)));
  return facts;
}

Result<int64_t> ReadClock(Connection& connection) {
  TRY(const auto row, connection.Query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
                          .Context("reading the server's clock"));
  return ToInt(row.Get(0, 0));
}

Result<SystemIdentity> IdentifySystem(Connection& replication_connection) {
  TRY(const auto row, replication_connection.Query("IDENTIFY_SYSTEM").Context("reading the system identifier"));
  return SystemIdentity{.system_identifier = std::string(row.Get(0, 0)),
                        .timeline = static_cast<int>(ToInt(row.Get(0, 1)))};
}

Result<std::map<int, Lsn>> ReadTimelineHistory(Connection& replication_connection, int timeline) {
  std::map<int, Lsn> left_at;
  if (timeline <= 1) return left_at;  // The first one has no history.
  const std::string doing = fmt::format("reading the history of timeline {}", timeline);
  TRY(const auto row, replication_connection.Query(fmt::format("TIMELINE_HISTORY {}", timeline)).Context("{}", doing));
  if (row.rows() != 1 || row.columns() != 2) {
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "{}: {} rows of {} columns", doing, row.rows(),
                     row.columns());
  }
  // A line for each timeline before: number, tab, where it was left, tab, why (readTimeLineHistory).
  std::string_view rest = row.Get(0, 1);
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t\r")));
    if (line.empty() || line.front() == '#') continue;
    const size_t gap = line.find_first_of(" \t");
    const size_t start = line.find_first_not_of(" \t", gap);
    if (gap == std::string_view::npos || start == std::string_view::npos) {
      return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "{}: '{}' names no position", doing, line);
    }
    const std::string_view position = line.substr(start, line.find_first_of(" \t\r", start) - start);
    TRY(left_at[static_cast<int>(ToInt(line.substr(0, gap)))], Lsn::Parse(position).Context("{}", doing));
  }
  return left_at;
}

Result<bool> IsInRecovery(Connection& connection) {
  TRY(const auto row, connection.Query("SELECT pg_is_in_recovery()").Context("asking whether it is a standby"));
  return IsTrue(row.Get(0, 0));
}

Result<std::vector<TableName>> ListPartitioned(Connection& connection, PartitionedTables which) {
  const std::string_view condition = which == PartitionedTables::kRoot ? "c.relkind = 'p' AND NOT c.relispartition"
                                                                       : "c.relkind = 'r' AND c.relispartition";
  TRY(const auto found, connection
                            .Query(fmt::format(R"(
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE {} ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C")",
                                               condition))
                            .Context("listing partitioned tables"));
  std::vector<TableName> tables;
  for (int row = 0; row < found.rows(); ++row) {
    tables.push_back({std::string(found.Get(row, 0)), std::string(found.Get(row, 1))});
  }
  return tables;
}

Result<std::vector<TableName>> ListTables(Connection& connection, const std::vector<std::string>& patterns,
                                          PartitionedTables partitioned) {
  const std::string_view kinds =
      partitioned == PartitionedTables::kRoot ? "c.relkind IN ('r', 'p') AND NOT c.relispartition" : "c.relkind = 'r'";
  TRY(const auto found, connection
                            .Query(fmt::format(R"(
    SELECT n.nspname, c.relname,
           EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE {} AND c.relpersistence = 'p'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C")",
                                               kinds))
                            .Context("listing tables"));
  std::vector<TableName> tables;
  for (int row = 0; row < found.rows(); ++row) {
    TableName table{std::string(found.Get(row, 0)), std::string(found.Get(row, 1))};
    if (!MatchesPatterns(table, patterns)) continue;
    if (IsTrue(found.Get(row, 2)) && !IsNamedExactly(table, patterns)) continue;
    tables.push_back(std::move(table));
  }
  return tables;
}

bool MatchesPatterns(const TableName& table, const std::vector<std::string>& patterns) {
  bool matches = patterns.empty() || patterns.front().starts_with('!');
  for (const std::string& text : patterns) {
    const TablePattern pattern = ParsePattern(text);
    if (Matches(table, pattern)) matches = !pattern.negated;
  }
  return matches;
}

Result<SourceTable> ReadTable(Connection& connection, const TableName& name, GeneratedColumns generated) {
  TRY(std::vector<SourceTable> tables, ReadTables(connection, std::span(&name, 1), generated));
  if (!tables.empty()) return std::move(tables.front());
  return MakeError(ErrorKind::kTableNotFound, ErrorOrigin::kSource,
                   "table {} does not exist in database {}; check source.tables (names keep their case)", name,
                   connection.database());
}

Result<std::vector<SourceTable>> ReadTables(Connection& connection, std::span<const TableName> names,
                                            GeneratedColumns generated) {
  std::vector<SourceTable> tables;
  if (names.empty()) return tables;
  std::string wanted;
  for (const TableName& name : names) {
    wanted += fmt::format("{}({}, {})", wanted.empty() ? "" : ", ", QuoteLiteral(name.schema), QuoteLiteral(name.name));
  }
  // Catalogs only: pg_relation_size, and pg_partition_tree of its leaves, would wait for whoever has locked the table.
  // A partitioned root has no heap of its own: its rows are the sum of its leaves', its pages 0.
  TRY(const auto relations, connection
                                .Query(fmt::format(R"(
    SELECT c.oid, c.relreplident,
           CASE WHEN c.relkind = 'r' THEN c.reltuples::bigint
                ELSE (WITH RECURSIVE tree(oid) AS (
                        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid
                        UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
                      SELECT CASE WHEN bool_or(l.reltuples < 0) THEN -1 ELSE coalesce(sum(l.reltuples), 0) END::bigint
                        FROM tree JOIN pg_class l ON l.oid = tree.oid WHERE l.relkind <> 'p') END,
           greatest(c.relpages, 0), n.nspname, c.relname
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (n.nspname, c.relname) IN ({}) AND c.relkind IN ('r', 'p'))",
                                                   wanted))
                                .Context("reading tables"));
  std::map<TableName, SourceTable> found;
  for (int row = 0; row < relations.rows(); ++row) {
    TableName name{std::string(relations.Get(row, 4)), std::string(relations.Get(row, 5))};
    SourceTable table{.oid = {static_cast<uint32_t>(ToInt(relations.Get(row, 0)))},
                      .name = name,
                      .replica_identity = static_cast<ReplicaIdentity>(relations.Get(row, 1).front()),
                      .estimated_rows = ToInt(relations.Get(row, 2)),
                      .pages = ToInt(relations.Get(row, 3))};
    found.emplace(std::move(name), std::move(table));
  }
  for (const TableName& name : names) {
    if (auto table = found.find(name); table != found.end()) tables.push_back(std::move(table->second));
  }
  TRY_VOID(ReadColumns(connection, tables, generated));
  TRY_VOID(ReadKeys(connection, tables));
  TRY_VOID(ReadTableVersions(connection, tables));
  return tables;
}

Status ReadSizes(Connection& connection, std::span<SourceTable> tables) {
  const TablesByOid by_oid(tables);
  TRY(const auto sizes, connection
                            .Query(fmt::format(R"(
    SELECT c.oid, pg_relation_size(c.oid) / current_setting('block_size')::bigint FROM pg_class c
     WHERE c.oid = ANY ({}) AND c.relkind = 'r' AND NOT EXISTS (
             SELECT FROM pg_locks l WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND
                    l.relation = c.oid AND
                    l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())))",
                                               by_oid.Array()))
                            .Context("reading the sizes of tables"));
  for (int row = 0; row < sizes.rows(); ++row) {
    if (!sizes.IsNull(row, 1)) by_oid.Of(sizes.Get(row, 0)).pages = ToInt(sizes.Get(row, 1));
  }
  return {};
}

Result<std::optional<Publication>> ReadPublication(Connection& connection, const std::string& name) {
  TRY(const auto found,
      connection
          .Query(fmt::format("SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, {}, {}, "
                             "coalesce(obj_description(p.oid, 'pg_publication') = {}, false) "
                             "FROM pg_publication p WHERE pubname = {}",
                             connection.server_version() >= 130000 ? "pubviaroot" : "false",
                             connection.server_version() >= 180000 ? "pubgencols = 's'" : "false",
                             QuoteLiteral(kMadeByFirn), QuoteLiteral(name)))
          .Context("reading publication {}", name));
  if (found.rows() == 0) return std::nullopt;
  const auto flag = [&](int column) { return IsTrue(found.Get(0, column)); };
  Publication publication{.name = name,
                          .all_tables = flag(0),
                          .publishes_insert = flag(1),
                          .publishes_update = flag(2),
                          .publishes_delete = flag(3),
                          .publishes_truncate = flag(4),
                          .via_partition_root = flag(5),
                          .generated_columns = flag(6) ? GeneratedColumns::kStored : GeneratedColumns::kSkipped,
                          .made_by_firn = flag(7)};
  TRY(const auto tables, connection.Query(PublishedTables(connection.server_version(), QuoteLiteral(name)))
                             .Context("reading the tables of publication {}", name));
  for (int row = 0; row < tables.rows(); ++row) {
    publication.tables.push_back({std::string(tables.Get(row, 0)), std::string(tables.Get(row, 1))});
  }
  TRY(publication.partly, ReadPartlyPublished(connection, name));
  return publication;
}

Status CreatePublication(Connection& connection, const std::string& name, const std::vector<TableName>& tables,
                         PartitionedTables partitioned) {
  std::string sql = "CREATE PUBLICATION " + QuoteIdentifier(name);
  if (!tables.empty()) sql += " FOR TABLE " + TableList(tables);
  if (connection.server_version() >= 130000) {
    sql += fmt::format(" WITH (publish_via_partition_root = {})", partitioned == PartitionedTables::kRoot);
  }
  TRY_VOID(BeforeStep(Failpoint::kPublicationCreateBefore));
  TRY_VOID(ChangePublication(connection, sql, tables).Context("creating publication {}", name));
  AfterStep(Failpoint::kPublicationCreateAfter);
  TRY_VOID(
      connection.Query(fmt::format("COMMENT ON PUBLICATION {} IS {}", QuoteIdentifier(name), QuoteLiteral(kMadeByFirn)))
          .Context("marking publication {}", name));
  return {};
}

Status AddTablesToPublication(Connection& connection, const std::string& name, const std::vector<TableName>& tables) {
  TRY(const auto publication, ReadPublication(connection, name));
  if (!publication) {
    return MakeError(ErrorKind::kNotFound, ErrorOrigin::kSource, "publication {} does not exist", name);
  }
  if (publication->all_tables) return {};
  std::vector<TableName> missing;
  for (const TableName& table : tables) {
    if (!std::ranges::binary_search(publication->tables, table)) missing.push_back(table);
  }
  if (missing.empty()) return {};
  const std::string sql = fmt::format("ALTER PUBLICATION {} ADD TABLE {}", QuoteIdentifier(name), TableList(missing));
  return ChangePublication(connection, sql, missing).Context("adding tables to publication {}", name);
}

Status DropPublication(Connection& connection, const std::string& name) {
  TRY_VOID(
      connection.Query("DROP PUBLICATION IF EXISTS " + QuoteIdentifier(name)).Context("dropping publication {}", name));
  return {};
}

Result<Lsn> ReadCurrentLsn(Connection& connection) {
  TRY(const auto row, connection
                          .Query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                                 "ELSE pg_current_wal_flush_lsn() END")
                          .Context("reading the current WAL position"));
  return Lsn::Parse(row.Get(0, 0)).Context("reading the current WAL position");
}

}  // namespace firn::postgres
