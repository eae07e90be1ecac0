// A catalog that speaks Iceberg's REST protocol: Nessie, Polaris, Lakekeeper, Unity Catalog, AWS Glue and S3 Tables, …
//
// The server keeps the metadata and writes its files. With a table it may hand out what its files can be reached with
// (VendSettings). Source: Iceberg's open-api/rest-catalog-open-api.yaml.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/rest/rest_session.h"
#include "storage/file_store.h"
#include "storage/vended_settings.h"

namespace firn::catalog {

struct RestCatalogOptions {
  rest::RestSessionOptions session;
  std::string warehouse;  ///< Told to the server, which may have several: a name, or a URI.
  std::string prefix;     ///< Empty: what the server says.
};

/// Thread-safety: as Catalog.
class RestCatalog : public Catalog {
 public:
  /// Asks the server for its configuration. kInvalidConfig where it knows no such warehouse.
  static Result<std::unique_ptr<RestCatalog>> Open(RestCatalogOptions options);
  /// Where the tables' files are written, which may be opened with what this catalog vends: then it comes later. What
  /// commits name is made durable in it. It outlives the last commit.
  void SetStore(storage::FileStore& store) { store_ = &store; }

  Status EnsureNamespace(const std::vector<std::string>& levels) override;
  Result<std::vector<std::vector<std::string>>> ListNamespaces() override;
  Result<std::vector<iceberg::TableIdent>> ListTables(const std::vector<std::string>& levels) override;
  Result<LoadedTable> LoadTable(const iceberg::TableIdent& ident) override;
  Result<LoadedTable> CreateTable(const iceberg::TableIdent& ident, const iceberg::NewTable& table) override;
  Status RenameTable(const iceberg::TableIdent& from, const iceberg::TableIdent& to) override;
  Status DropTable(const iceberg::TableIdent& ident) override;
  bool CommitsTablesTogether() const override;
  Result<std::vector<LoadedTable>> CommitTables(std::span<const iceberg::CommitRequest> requests) override;

  /// Of a namespace that holds nothing. kNotFound where there is none.
  Status DropNamespace(const std::vector<std::string>& levels);

  /// What the server vends for the table that `location` is in: a storage::VendSettings. Of tables that were loaded or
  /// made here; nothing for others.
  Result<std::vector<storage::VendedSettings>> Vend(std::string_view location);

 private:
  /// What was last said of a table.
  struct KnownTable {
    iceberg::TableIdent ident;
    std::string location;
    iceberg::TableMetadataPtr metadata;
    rest::Settings config;  ///< With what the server says of all tables.
    std::vector<storage::VendedSettings> vended;
    bool handed_out = false;  ///< `vended` was asked for: who asks again wants fresh ones.
  };

  explicit RestCatalog(RestCatalogOptions options);
  Status Configure();

  bool Offers(std::string_view endpoint) const { return endpoints_ && endpoints_->contains(std::string(endpoint)); }
  std::string Path(std::string_view rest) const;
  std::string NamespacePath(const std::vector<std::string>& levels) const;
  std::string TablePath(const iceberg::TableIdent& ident) const;
  std::string NewKey() const;

  Result<std::vector<std::vector<std::string>>> ListChildren(const std::vector<std::string>& parent);
  Result<LoadedTable> Create(const iceberg::TableIdent& ident, const iceberg::NewTable& table);
  Result<LoadedTable> CreateStaged(const iceberg::TableIdent& ident, const iceberg::NewTable& table);
  Result<LoadedTable> CommitTable(const iceberg::CommitRequest& request);
  rest::Json ToJson(const iceberg::CommitRequest& request);
  LoadedTable Remember(const iceberg::TableIdent& ident, rest::TableAnswer answer);
  void Forget(const iceberg::TableIdent& ident);

  RestCatalogOptions options_;
  rest::RestSession session_;
  storage::FileStore* store_ = nullptr;
  // Set by Configure, then constant.
  std::string prefix_;
  std::string separator_ = "%1F";  ///< Between the levels of a namespace in a path, percent-encoded.
  std::optional<std::set<std::string>> endpoints_;
  bool takes_idempotency_keys_ = false;
  rest::Settings overrides_;  ///< What the server says of all tables, whatever the operator said.

  std::mutex mutex_;  ///< For what follows; never held while the server is asked.
  std::map<iceberg::TableIdent, KnownTable> known_;
};

}  // namespace firn::catalog
