// Files below a table's folder that no metadata names: left by attempts that failed, or by a killed process.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "firn/result.h"
#include "iceberg/table_update.h"
#include "storage/file_store.h"

namespace firn::maintenance {

struct OrphanOptions {
  /// Younger files may belong to a commit that is on its way.
  int64_t grace_ms = int64_t{3} * 24 * 3600 * 1000;
  int64_t now_ms = 0;
  /// Locations that are none, however old: those that a copy goes on with (pipeline/copy_checkpoints).
  std::set<std::string> kept;
};

/// The orphans of the table, in the order in which the store lists them; deletes nothing. The files are listed before
/// the metadata is read, so that whatever is committed meanwhile is none. Of a table that is being copied or is to be,
/// by whatever process, no data file is one: a copy may take longer than the grace. kUnsupported when another of
/// `tables` lies within the table's folder: its files can't be told apart.
Result<std::vector<storage::FileInfo>> FindOrphans(catalog::Catalog& catalog, storage::FileStore& store,
                                                   const iceberg::TableIdent& ident,
                                                   const std::vector<catalog::LoadedTable>& tables,
                                                   const OrphanOptions& options);

}  // namespace firn::maintenance
