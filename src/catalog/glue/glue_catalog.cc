#include "catalog/glue/glue_catalog.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "base/try.h"
#include "base/unix_time.h"
#include "catalog/glue/glue_json.h"
#include "catalog/glue/glue_table_input.h"
#include "catalog/metadata_files.h"
#include "catalog/pages.h"
#include "catalog/unknown_outcome.h"

namespace firn::catalog {
namespace {

using iceberg::CommitRequest;
using iceberg::TableIdent;
using nlohmann::json;

bool IsGlueName(const std::string& name, size_t length_max) {
  return !name.empty() && name.size() <= length_max &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

class GlueCatalog : public Catalog {
 public:
  GlueCatalog(GlueCatalogOptions options, storage::FileStore& store)
      : store_(store), warehouse_(std::move(options.warehouse)), glue_(std::move(options.client)), cache_(store) {}

  Status EnsureNamespace(const std::vector<std::string>& levels) override {
    TRY_VOID(CheckGlueNamespace(levels));
    const auto database = GetDatabase(levels);
    if (database.has_value() || database.error().kind() != ErrorKind::kNotFound) return Forget(database);
    const auto made = glue_.Call(GlueCall::kWrite, "CreateDatabase", {{"DatabaseInput", {{"Name", levels[0]}}}});
    if (made.has_value() || made.error().kind() == ErrorKind::kAlreadyExists) return {};
    return AsRepeatable(made.error());
  }

  Result<std::vector<std::vector<std::string>>> ListNamespaces() override {
    std::vector<std::vector<std::string>> namespaces;
    TRY_VOID(EachPage("GetDatabases", json::object(), "DatabaseList",
                      [&](const json& database) { namespaces.push_back({TextOf(database, "Name")}); }));
    return namespaces;
  }

  Result<std::vector<TableIdent>> ListTables(const std::vector<std::string>& levels) override {
    TRY_VOID(CheckGlueNamespace(levels));
    std::vector<TableIdent> idents;
    const Status listed = EachPage("GetTables", {{"DatabaseName", levels[0]}}, "TableList", [&](const json& table) {
      if (MetadataLocationOf(table)) idents.push_back({.namespace_levels = levels, .name = TextOf(table, "Name")});
    });
    if (!listed.has_value() && listed.error().kind() == ErrorKind::kNotFound) return NoNamespace(levels);
    TRY_VOID(listed);
    return idents;
  }

  Result<LoadedTable> LoadTable(const TableIdent& ident) override {
    json entry;
    return LoadEntry(ident, entry);
  }

  Result<LoadedTable> CreateTable(const TableIdent& ident, const iceberg::NewTable& table) override {
    TRY_VOID(CheckIdent(ident));
    TRY(const json database, GetDatabase(ident.namespace_levels));
    const auto existing = GetEntry(ident);
    if (existing.has_value()) return AlreadyExists(ident);
    if (existing.error().kind() != ErrorKind::kTableNotFound) return existing.error();

    iceberg::NewTable placed = table;
    if (placed.location.empty()) {
      TRY(placed.location, DefaultLocation(ident, database));
    }
    WrittenFiles files(store_);
    TRY(LoadedTable created, BuildTable(ident, placed, UnixMillisNow(), files));
    TRY_VOID(store_.MakeDurable());
    const std::string& location = created.metadata_location;
    TRY_VOID(CreateEntry(ident, MakeTableInput(ident.name, *created.metadata, location, nullptr), location, files));
    files.Keep();
    cache_.Remember(created);
    return created;
  }

  /// Glue has no renaming: a new entry is made, and the old one deleted. What was begun and not ended (the answer to
  /// the deletion was lost) is ended by doing it again.
  Status RenameTable(const TableIdent& from, const TableIdent& to) override {
    TRY_VOID(CheckIdent(to));
    TRY_VOID(GetDatabase(to.namespace_levels));
    TRY(const json old_entry, GetEntry(from));
    TRY(const std::string location, PointerOf(from, old_entry));
    Status made = [&] {
      WrittenFiles no_files(store_);
      return CreateEntry(to, RenamedTableInput(to.name, old_entry), location, no_files);
    }();
    if (!made.has_value()) {
      const bool taken = made.error().kind() == ErrorKind::kAlreadyExists;
      const auto other = taken && from != to ? GetEntry(to) : Result<json>(made.error());
      if (!other.has_value() || MetadataLocationOf(*other) != location) return made;
    }
    cache_.Forget(from);
    // A commit that came in between would be lost with the old entry.
    if (const auto now = GetEntry(from); now.has_value() && MetadataLocationOf(*now) != location) {
      TRY_VOID(DeleteEntry(to).Context("undoing the renaming of {}", ToString(from)));
      return MakeError(ErrorKind::kConflict, ErrorOrigin::kCatalog, "table {} was committed to while it was renamed",
                       ToString(from));
    }
    Status deleted = DeleteEntry(from);
    if (deleted.has_value() || deleted.error().kind() == ErrorKind::kTableNotFound) return {};
    // Undone only where the deletion surely won't happen: else both entries could be gone in the end.
    if (deleted.error().kind() == ErrorKind::kCommitUnknown) return AsRepeatable(deleted);
    TRY_VOID(
        DeleteEntry(to).Context("undoing the renaming of {} after: {}", ToString(from), deleted.error().message()));
    return deleted;
  }

  Status DropTable(const TableIdent& ident) override {
    TRY_VOID(CheckIdent(ident));
    cache_.Forget(ident);
    return AsRepeatable(DeleteEntry(ident));
  }

  bool CommitsTablesTogether() const override { return false; }

  Result<std::vector<LoadedTable>> CommitTables(std::span<const CommitRequest> requests) override {
    std::vector<LoadedTable> committed;
    for (const CommitRequest& request : requests) {
      TRY(LoadedTable table, CommitTable(request));
      committed.push_back(std::move(table));
    }
    return committed;
  }

 private:
  static Error NoNamespace(const std::vector<std::string>& levels) {
    return MakeError(ErrorKind::kNotFound, ErrorOrigin::kCatalog, "there is no database {} in Glue", levels[0]);
  }
  static Error NoTable(const TableIdent& ident) {
    return MakeError(ErrorKind::kTableNotFound, ErrorOrigin::kCatalog, "there is no table {} in Glue", ToString(ident));
  }
  static Error AlreadyExists(const TableIdent& ident) {
    return MakeError(ErrorKind::kAlreadyExists, ErrorOrigin::kCatalog, "table {} is there already", ToString(ident));
  }
  template <typename T>
  static Status Forget(const Result<T>& result) {
    if (result.has_value()) return {};
    return result.error();
  }
  static Status CheckIdent(const TableIdent& ident) {
    TRY_VOID(CheckGlueNamespace(ident.namespace_levels));
    return CheckGlueTableName(ident.name);
  }

  Status EachPage(std::string_view action, json request, const char* list,
                  const std::function<void(const json&)>& take) {
    for (int page = 0; page < kPagesMax; ++page) {
      TRY(const json answer, glue_.Call(GlueCall::kRead, action, request));
      if (const auto entries = answer.find(list); entries != answer.end()) {
        for (const json& entry : *entries) take(entry);
      }
      const std::string next = TextOf(answer, "NextToken");
      if (next.empty()) return {};
      request["NextToken"] = next;
    }
    return MakeError(ErrorKind::kInternal, ErrorOrigin::kCatalog, "Glue {}: more than {} pages", action, kPagesMax);
  }

  Result<json> GetDatabase(const std::vector<std::string>& levels) {
    TRY_VOID(CheckGlueNamespace(levels));
    auto answer = glue_.Call(GlueCall::kRead, "GetDatabase", {{"Name", levels[0]}});
    if (!answer.has_value()) {
      if (answer.error().kind() == ErrorKind::kNotFound) return NoNamespace(levels);
      return answer.error();
    }
    return std::move((*answer)["Database"]);
  }

  /// The Table of GetTable. kTableNotFound.
  Result<json> GetEntry(const TableIdent& ident) {
    TRY_VOID(CheckIdent(ident));
    auto answer =
        glue_.Call(GlueCall::kRead, "GetTable", {{"DatabaseName", ident.namespace_levels[0]}, {"Name", ident.name}});
    if (!answer.has_value()) {
      if (answer.error().kind() == ErrorKind::kNotFound) return NoTable(ident);
      return std::move(answer).Context("table {}", ToString(ident)).error();
    }
    return std::move((*answer)["Table"]);
  }

  static Result<std::string> PointerOf(const TableIdent& ident, const json& entry) {
    if (auto location = MetadataLocationOf(entry)) return *location;
    return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
                     "{} is in Glue, and is no Iceberg table: rename it, or choose another destination.namespace or "
                     "destination.table_prefix",
                     ToString(ident));
  }

  /// The table, and its entry as it was read with it.
  Result<LoadedTable> LoadEntry(const TableIdent& ident, json& entry) {
    return LoadByPointer(cache_, ident, [&]() -> Result<std::string> {
      TRY(entry, GetEntry(ident));
      return PointerOf(ident, entry);
    });
  }

  /// CreateTable. Where its outcome is unknown, Glue is asked whether the entry is there; where it isn't, `files` are
  /// kept all the same, for the request may still arrive, and the error is transient.
  Status CreateEntry(const TableIdent& ident, json input, const std::string& location, WrittenFiles& files) {
    const auto made = glue_.Call(GlueCall::kWrite, "CreateTable",
                                 {{"DatabaseName", ident.namespace_levels[0]}, {"TableInput", std::move(input)}});
    if (made.has_value()) return {};
    if (made.error().kind() == ErrorKind::kAlreadyExists) return AlreadyExists(ident);
    if (made.error().kind() == ErrorKind::kNotFound) return NoNamespace(ident.namespace_levels);
    if (made.error().kind() != ErrorKind::kCommitUnknown) return made.error();
    files.Keep();
    if (const auto entry = GetEntry(ident); entry.has_value() && MetadataLocationOf(*entry) == location) return {};
    return AsRepeatable(made.error());
  }

  /// DeleteTable. kCommitUnknown where it may still happen.
  Status DeleteEntry(const TableIdent& ident) {
    const auto deleted = glue_.Call(GlueCall::kWrite, "DeleteTable",
                                    {{"DatabaseName", ident.namespace_levels[0]}, {"Name", ident.name}});
    if (deleted.has_value()) return {};
    if (deleted.error().kind() == ErrorKind::kNotFound) return NoTable(ident);
    if (deleted.error().kind() == ErrorKind::kCommitUnknown) {
      if (const auto entry = GetEntry(ident); !entry.has_value() && entry.error().kind() == ErrorKind::kTableNotFound) {
        return {};
      }
    }
    return deleted.error();
  }

  /// Whether the table's metadata surely is another than that at `location`.
  bool PointsElsewhere(const TableIdent& ident, const std::string& location) {
    const auto entry = GetEntry(ident);
    return entry.has_value() && MetadataLocationOf(*entry) != location;
  }

  Result<LoadedTable> CommitTable(const CommitRequest& request) {
    json entry;
    TRY(const LoadedTable base, LoadEntry(request.table, entry));
    const std::string version = TextOf(entry, "VersionId");
    if (version.empty()) {
      return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
                       "table {}: what answers for Glue gives no VersionId, without which writers would overwrite each "
                       "other's commits; check catalog.endpoint",
                       ToString(request.table));
    }
    WrittenFiles files(store_);
    TRY(LoadedTable built, BuildCommit(base, request, UnixMillisNow(), files));
    TRY_VOID(store_.MakeDurable());
    // Glue keeps at most 100,000 versions of an entry, and each commit would be one: SkipArchive.
    json update = {{"DatabaseName", request.table.namespace_levels[0]},
                   {"TableInput", MakeTableInput(request.table.name, *built.metadata, built.metadata_location, entry)},
                   {"VersionId", version},
                   {"SkipArchive", true}};
    const auto updated = glue_.Call(GlueCall::kWrite, "UpdateTable", std::move(update));
    if (!updated.has_value()) {
      const ErrorKind kind = updated.error().kind();
      // A refused one may be in: something between may have sent it twice, and only the second was refused.
      const bool may_be_in = kind == ErrorKind::kConflict && !PointsElsewhere(request.table, built.metadata_location);
      if (kind == ErrorKind::kCommitUnknown || may_be_in) files.Keep();
      if (kind == ErrorKind::kNotFound) return NoTable(request.table);
      return Error(updated.error()).WithContext(fmt::format("committing table {}", ToString(request.table)));
    }
    files.Keep();
    cache_.Remember(built);
    DeleteForgottenMetadata(store_, *base.metadata, *built.metadata);
    return built;
  }

  /// <the database's location>/<table>, or <warehouse>/<database>.db/<table>, as Java's GlueCatalog has it; made unique
  /// where a table's metadata lies already, such as that of one which was renamed since.
  Result<std::string> DefaultLocation(const TableIdent& ident, const json& database) {
    bool altered = false;
    std::string location;
    if (std::string place = TextOf(database, "LocationUri"); !place.empty()) {
      TRY(place, storage::NormalizeLocation(place));
      TRY(location, PlaceTable(place, {}, ident, altered));
    } else {
      const std::string folder = ident.namespace_levels[0] + ".db";
      TRY(location, PlaceTable(warehouse_, std::span(&folder, 1), ident, altered));
    }
    TRY(const auto files, store_.List(location + "/metadata/"));
    return files.empty() ? location : MakeUnique(std::move(location));
  }

  storage::FileStore& store_;
  const std::string warehouse_;
  GlueClient glue_;
  MetadataCache cache_;
};

}  // namespace

Status CheckGlueNamespace(const std::vector<std::string>& levels) {
  if (levels.size() != 1) {
    return MakeError(
        ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
        "namespace {}: Glue's databases are namespaces of one level; set destination.namespace to one name",
        fmt::join(levels, "."));
  }
  if (IsGlueName(levels[0], 252)) return {};
  return MakeError(
      ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
      "namespace \"{}\": a database of Glue is named with 1 to 252 lower-case letters, digits and '_'; set "
      "destination.namespace to such a name",
      levels[0]);
}

Status CheckGlueTableName(const std::string& name) {
  if (IsGlueName(name, 255)) return {};
  return MakeError(
      ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
      "table \"{}\": a table of Glue is named with 1 to 255 lower-case letters, digits and '_'; rename it in "
      "PostgreSQL, or leave it out with source.tables",
      name);
}

Result<std::unique_ptr<Catalog>> OpenGlueCatalog(GlueCatalogOptions options, storage::FileStore& store) {
  if (!options.warehouse.empty()) {
    TRY(options.warehouse, storage::NormalizeLocation(options.warehouse));
  }
  if (options.client.region.empty()) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog,
                     "catalog.region is missing: the AWS region of the Glue catalog, as in eu-central-1 (or set "
                     "AWS_REGION)");
  }
  return std::make_unique<GlueCatalog>(std::move(options), store);
}

}  // namespace firn::catalog
