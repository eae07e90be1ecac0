// What firn asks of an Iceberg catalog. Implementations: rest/, sql/ (SQLite and PostgreSQL), glue/, and in-memory
// fakes in testing; one conformance suite (catalog_conformance.h) runs on all.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "iceberg/table_update.h"

namespace firn::catalog {

struct LoadedTable {
  iceberg::TableIdent ident;
  iceberg::TableMetadataPtr metadata;
  std::string metadata_location;
};

/// Of how many tables the files of one commit are written at the same time: that is mostly waiting for the store.
inline constexpr int kTablesAtOnce = 8;

/// Thread-safety: every method may be called from any thread. Errors: kTableNotFound, kNotFound (namespace),
/// kAlreadyExists, kConflict (nothing was committed), kCommitUnknown (the commit may have happened), kTransient
/// (nothing was committed), kPermission; origin kCatalog.
class Catalog {
 public:
  virtual ~Catalog() = default;

  /// Makes the namespace and its parents where they are missing.
  virtual Status EnsureNamespace(const std::vector<std::string>& levels) = 0;
  /// Every namespace that exists, at any depth.
  virtual Result<std::vector<std::vector<std::string>>> ListNamespaces() = 0;
  virtual Result<std::vector<iceberg::TableIdent>> ListTables(const std::vector<std::string>& levels) = 0;
  virtual Result<LoadedTable> LoadTable(const iceberg::TableIdent& ident) = 0;
  virtual Result<LoadedTable> CreateTable(const iceberg::TableIdent& ident, const iceberg::NewTable& table) = 0;
  /// Gives the table another name, and another namespace where that differs: its entry moves, its files stay where they
  /// are. kAlreadyExists when the new name is taken.
  virtual Status RenameTable(const iceberg::TableIdent& from, const iceberg::TableIdent& to) = 0;
  /// Removes the table's entry; its files stay.
  virtual Status DropTable(const iceberg::TableIdent& ident) = 0;

  /// Whether CommitTables makes several tables visible together. Where not, it commits one by one, in order, and an
  /// error leaves the earlier ones committed.
  virtual bool CommitsTablesTogether() const = 0;
  /// The tables after the commit, in the requests' order. What was written to the tables' store before is made durable
  /// first (FileStore::MakeDurable).
  virtual Result<std::vector<LoadedTable>> CommitTables(std::span<const iceberg::CommitRequest> requests) = 0;
};

}  // namespace firn::catalog
