// Which definition a table has: what changes with DDL, in pg_attribute, pg_class, pg_index and pg_inherits.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/source_table.h"
#include "postgres/connection.h"
#include "postgres/pgoutput.h"

namespace firn::postgres {

/// Fills in each table's `version` (but read_at) and what the columns' pg_attribute rows say of their declared types
/// and missing values. Reads catalogs only, so that it waits for no lock on a table; a table that is gone has an empty
/// fingerprint.
Status ReadTableVersions(Connection& connection, std::span<SourceTable> tables);

/// What UPDATE and DELETE tell of the old rows of a partition: its own replica identity decides, also where they are
/// sent as changes of the partitioned table.
struct LeafIdentity {
  TableOid table;  ///< The partitioned table.
  TableOid oid;
  TableName name;
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  std::vector<std::string> columns;  ///< Of the index that is the identity; none where no index is.
};
/// Of all leaves of those of the tables that are partitioned, at any depth; by table.
Result<std::vector<LeafIdentity>> ReadLeafIdentities(Connection& connection, const std::vector<TableOid>& oids);

/// Whether the table has the definition and the files that it had when `table` was read: an ALTER TABLE, a TRUNCATE or
/// a rewrite takes one of them away. Reads catalogs only.
Result<bool> IsUnaltered(Connection& connection, const SourceTable& table);

struct TableFingerprint {
  TableOid oid;
  TableName name;
  std::string fingerprint;  ///< As in TableVersion.
};
/// One query for all. Tables that don't exist are left out.
Result<std::vector<TableFingerprint>> ReadFingerprints(Connection& connection, const std::vector<TableOid>& oids);

/// The OIDs of those of the tables that there are.
Result<std::map<TableName, TableOid>> FindTables(Connection& connection, const std::vector<TableName>& names);

/// By OID, what makes a table part of a publication: the entries of the publication's catalogs, its own and those of
/// its ancestors and its schema, and the publication's version, as "n16402,r16400,v742.iudt.5a1f07c3": xmin, operations
/// that it publishes, and a hash of its other settings. A table that is taken out and added again has another entry.
/// Tables that are not in it are left out.
Result<std::map<TableOid, std::string>> ReadMemberships(Connection& connection, const std::string& publication,
                                                        const std::vector<TableOid>& oids);
/// Whether two of those have an entry in common: then the table was in the publication all along.
bool ShareEntry(std::string_view before, std::string_view now);
/// Whether the publication, which has all operations now, may have left some out meanwhile: it was altered, and nothing
/// else of it that shows. No where one of the two says nothing of its version.
bool MayHaveLeftOut(std::string_view before, std::string_view now);

/// Whether what these transactions, whose commit was read from the WAL, have done is visible: they hold their locks
/// until then.
Result<bool> HaveEnded(Connection& connection, std::span<const Xid> transactions);

/// A position at or after which every change was made under the definitions that were read before this call, or later
/// ones: the end of what is written to the WAL (on a standby, of what is replayed).
Result<Lsn> ReadDefinitionLsn(Connection& connection);

}  // namespace firn::postgres
