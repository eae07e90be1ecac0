#include "catalog/rest/rest_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "base/uuid.h"
#include "catalog/pages.h"
#include "catalog/rest/vended_config.h"
#include "catalog/unknown_outcome.h"
#include "http/percent_encoding.h"
#include "observe/log.h"
#include "storage/store_location.h"

namespace firn::catalog {

using iceberg::CommitRequest;
using iceberg::TableIdent;
using rest::Json;
using rest::RestCall;

namespace {

constexpr int kNamespaceDepthMax = 32;
constexpr std::string_view kCommitTogether = "POST /v1/{prefix}/transactions/commit";
constexpr std::string_view kLoadCredentials = "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials";

/// A prefix is part of a path as it is, percent signs and slashes too; only what may not be in a path is encoded.
std::string EncodePrefix(std::string_view prefix) {
  constexpr std::string_view kKept = "/%:@!$&'()*+,;=";
  std::string encoded;
  for (const char c : prefix) {
    encoded += kKept.find(c) != std::string_view::npos ? std::string(1, c) : http::PercentEncode({&c, 1});
  }
  while (encoded.starts_with('/')) encoded.erase(0, 1);
  while (encoded.ends_with('/')) encoded.pop_back();
  return encoded;
}

bool IsStatus(const Error& error, std::string_view status) { return error.native_code() == status; }

/// The error of a table that could not be made: it is there, or its namespace is not.
Error OfCreation(Error error) {
  if (IsStatus(error, "409")) return std::move(error).WithKind(ErrorKind::kAlreadyExists);
  if (IsStatus(error, "404")) return std::move(error).WithKind(ErrorKind::kNotFound);
  return error;
}

/// Of an answer of success that can't be read: the change happened.
template <typename T>
Result<T> AfterChange(Result<T> read) {
  if (read.has_value()) return read;
  return Error(ErrorKind::kCommitUnknown, "the catalog's answer can't be read: " + read.error().message(),
               ErrorOrigin::kCatalog);
}

template <typename T>
Result<T> OfAnswer(Result<T> read) {
  if (read.has_value()) return read;
  return Error(read.error().kind(), "the catalog's answer: " + read.error().message(), ErrorOrigin::kCatalog);
}

/// Of a commit that the catalog said is done: some lose one of two that come at the same time, and acknowledge both.
Status CheckIsThere(const CommitRequest& request, const iceberg::TableMetadata& after) {
  for (const iceberg::Update& update : request.updates) {
    const auto* added = std::get_if<iceberg::AddSnapshot>(&update);
    if (added == nullptr || after.FindSnapshot(added->snapshot.snapshot_id) != nullptr) continue;
    return MakeError(ErrorKind::kCommitUnknown, ErrorOrigin::kCatalog,
                     "the catalog acknowledged snapshot {} of table {}, which the table does not have",
                     added->snapshot.snapshot_id, ToString(request.table));
  }
  return {};
}

/// All pages of the list that `call` asks for, each read by `read`. `what`: "tables".
template <typename T>
Result<std::vector<T>> ReadPages(rest::RestSession& session, const RestCall& call,
                                 Result<rest::Page<T>> (*read)(std::string_view), std::string_view what) {
  std::vector<T> items;
  std::string token;
  for (int page = 0; page < kPagesMax; ++page) {
    RestCall of_page = call;
    of_page.query.emplace_back("pageToken", token);
    TRY(const std::string body, session.Send(of_page));
    TRY(auto answer, OfAnswer(read(body)));
    items.insert(items.end(), std::make_move_iterator(answer.items.begin()),
                 std::make_move_iterator(answer.items.end()));
    if (answer.next_page_token.empty() || answer.next_page_token == token) return items;
    token = std::move(answer.next_page_token);
  }
  return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kCatalog, "the catalog's list of {} has no end", what);
}

}  // namespace

RestCatalog::RestCatalog(RestCatalogOptions options) : options_(std::move(options)), session_(options_.session) {}

Result<std::unique_ptr<RestCatalog>> RestCatalog::Open(RestCatalogOptions options) {
  std::unique_ptr<RestCatalog> catalog(new RestCatalog(std::move(options)));
  TRY_VOID(catalog->Configure().Context("asking {} for its configuration", catalog->options_.session.uri));
  return catalog;
}

Status RestCatalog::Configure() {
  RestCall call{.path = "config"};
  if (!options_.warehouse.empty()) call.query.emplace_back("warehouse", options_.warehouse);
  auto body = session_.Send(call);
  if (!body) {
    const ErrorKind kind = body.error().kind();
    const bool wrong = kind == ErrorKind::kNotFound || kind == ErrorKind::kTableNotFound ||
                       kind == ErrorKind::kInvalidConfig || kind == ErrorKind::kUnsupported;
    if (!wrong) return std::move(body).error();
    return Error(ErrorKind::kInvalidConfig,
                 body.error().message() + "; check catalog.uri, which ends before /v1, and catalog.warehouse",
                 ErrorOrigin::kCatalog, body.error().native_code());
  }
  auto answer = rest::ReadCatalogConfig(*body);
  if (!answer) {
    return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kCatalog,
                     "this is no answer of an Iceberg REST catalog ({}); check catalog.uri", answer.error().message());
  }
  overrides_ = answer->overrides;
  rest::Settings settings = std::move(answer->defaults);
  if (!options_.prefix.empty()) settings["prefix"] = options_.prefix;
  for (auto& [key, value] : answer->overrides) settings[key] = std::move(value);
  prefix_ = EncodePrefix(settings["prefix"]);
  if (const auto separator = settings.find("namespace-separator"); separator != settings.end()) {
    separator_ = separator->second;  // As it is to be in a path, "%2E" too: a '.' would be one of a name.
  }
  endpoints_ = std::move(answer->endpoints);
  // Nessie names no endpoints, and takes several tables in one of its commits.
  if (!endpoints_ && settings["nessie.is-nessie-catalog"] == "true") endpoints_.emplace({std::string(kCommitTogether)});
  takes_idempotency_keys_ = answer->takes_idempotency_keys;
  session_.Adopt(settings);
  LogDebug("REST catalog", {{"prefix", prefix_},
                            {"endpoints", endpoints_ ? static_cast<int64_t>(endpoints_->size()) : 0},
                            {"commits_together", CommitsTablesTogether()},
                            {"idempotency_keys", takes_idempotency_keys_}});
  return {};
}

std::string RestCatalog::Path(std::string_view rest) const {
  return prefix_.empty() ? std::string(rest) : fmt::format("{}/{}", prefix_, rest);
}

std::string RestCatalog::NamespacePath(const std::vector<std::string>& levels) const {
  std::string joined;
  for (const std::string& level : levels) {
    if (!joined.empty()) joined += separator_;
    joined += http::PercentEncode(level);
  }
  return Path("namespaces/" + joined);
}

std::string RestCatalog::TablePath(const TableIdent& ident) const {
  return NamespacePath(ident.namespace_levels) + "/tables/" + http::PercentEncode(ident.name);
}

std::string RestCatalog::NewKey() const { return takes_idempotency_keys_ ? NewTimeOrderedUuid() : ""; }

Status RestCatalog::EnsureNamespace(const std::vector<std::string>& levels) {
  if (levels.empty()) return {};
  const auto found = session_.Send({.path = NamespacePath(levels)});
  if (found.has_value()) return {};
  if (!IsStatus(found.error(), "404")) return found.error();
  TRY_VOID(EnsureNamespace({levels.begin(), levels.end() - 1}));
  const auto made = session_.Send({.method = "POST",
                                   .path = Path("namespaces"),
                                   .body = {{"namespace", Json(levels)}, {"properties", Json::object()}},
                                   .idempotency_key = NewKey()});
  if (made.has_value() || IsStatus(made.error(), "409")) return {};
  return AsRepeatable(made.error()).WithContext("making a namespace");
}

Status RestCatalog::DropNamespace(const std::vector<std::string>& levels) {
  const auto dropped = session_.Send({.method = "DELETE", .path = NamespacePath(levels), .idempotency_key = NewKey()});
  if (!dropped) return dropped.error();
  return {};
}

Result<std::vector<std::vector<std::string>>> RestCatalog::ListChildren(const std::vector<std::string>& parent) {
  RestCall call{.path = Path("namespaces")};
  if (!parent.empty()) {
    std::string joined;
    for (const std::string& level : parent) joined += (joined.empty() ? "" : http::PercentDecode(separator_)) + level;
    call.query.emplace_back("parent", joined);
  }
  TRY(auto children, ReadPages(session_, call, &rest::ReadNamespaces, "namespaces"));
  // A server without nested namespaces may answer with the top again.
  std::erase_if(children, [&](const std::vector<std::string>& levels) {
    return levels.size() != parent.size() + 1 || !std::equal(parent.begin(), parent.end(), levels.begin());
  });
  return children;
}

Result<std::vector<std::vector<std::string>>> RestCatalog::ListNamespaces() {
  std::vector<std::vector<std::string>> all;
  std::vector<std::vector<std::string>> level;
  TRY(level, ListChildren({}));
  for (int depth = 1; !level.empty() && depth <= kNamespaceDepthMax; ++depth) {
    std::vector<std::vector<std::string>> next;
    for (const auto& parent : level) {
      auto children = ListChildren(parent);
      if (!children) {
        const ErrorKind kind = children.error().kind();
        // Gone meanwhile, or a catalog whose namespaces hold no others.
        if (kind != ErrorKind::kNotFound && kind != ErrorKind::kUnsupported && !IsStatus(children.error(), "400")) {
          return std::move(children).error();
        }
        continue;
      }
      next.insert(next.end(), children->begin(), children->end());
    }
    all.insert(all.end(), std::make_move_iterator(level.begin()), std::make_move_iterator(level.end()));
    level = std::move(next);
  }
  return all;
}

Result<std::vector<TableIdent>> RestCatalog::ListTables(const std::vector<std::string>& levels) {
  auto tables = ReadPages(session_, {.path = NamespacePath(levels) + "/tables"}, &rest::ReadTables, "tables");
  if (!tables && IsStatus(tables.error(), "404")) return std::move(tables).error().WithKind(ErrorKind::kNotFound);
  return tables;
}

LoadedTable RestCatalog::Remember(const TableIdent& ident, rest::TableAnswer answer) {
  LoadedTable table{.ident = ident,
                    .metadata = std::make_shared<const iceberg::TableMetadata>(std::move(answer.metadata)),
                    .metadata_location = std::move(answer.metadata_location)};
  rest::Settings config = std::move(answer.config);
  config.insert(overrides_.begin(), overrides_.end());
  auto vended = rest::ToVendedSettings(config, answer.storage_credentials);
  std::lock_guard lock(mutex_);
  known_[ident] = {.ident = ident,
                   .location = table.metadata->location,
                   .metadata = table.metadata,
                   .config = std::move(config),
                   .vended = std::move(vended),
                   .handed_out = false};
  return table;
}

void RestCatalog::Forget(const TableIdent& ident) {
  std::lock_guard lock(mutex_);
  known_.erase(ident);
}

Result<LoadedTable> RestCatalog::LoadTable(const TableIdent& ident) {
  auto body = session_.Send({.path = TablePath(ident), .query = {{"snapshots", "all"}}});
  if (!body && IsStatus(body.error(), "404")) {
    Forget(ident);
    return MakeError(ErrorKind::kTableNotFound, ErrorOrigin::kCatalog, "there is no table {}", ToString(ident));
  }
  if (!body) return std::move(body).Context("loading table {}", ToString(ident)).error();
  TRY(rest::TableAnswer answer, OfAnswer(rest::ReadTable(*body)).Context("loading table {}", ToString(ident)));
  return Remember(ident, std::move(answer));
}

Result<LoadedTable> RestCatalog::CreateTable(const TableIdent& ident, const iceberg::NewTable& table) {
  auto made = rest::HasIdsAsServersGiveThem(table) ? Create(ident, table) : CreateStaged(ident, table);
  if (!made && made.error().kind() == ErrorKind::kCommitUnknown) {
    // Most often it is made and only the answer was lost.
    auto loaded = LoadTable(ident);
    if (loaded.has_value()) {
      made = std::move(loaded);
    } else if (loaded.error().kind() == ErrorKind::kTableNotFound) {
      return std::move(made).error().WithKind(ErrorKind::kTransient);
    }
  }
  TRY(LoadedTable created, std::move(made));
  const iceberg::Schema& schema = created.metadata->CurrentSchema();
  if (schema.fields != table.schema.fields || created.metadata->DefaultSpec().fields != table.spec.fields) {
    return MakeError(ErrorKind::kAlreadyExists, ErrorOrigin::kCatalog,
                     "table {} is there with other fields than were asked for: another writer made it, or the catalog "
                     "changes what it is asked to make",
                     ToString(ident));
  }
  if (created.metadata->format_version != table.format_version) {
    return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kCatalog,
                     "table {} was made with format version {}, not {}: the catalog does not make it; set "
                     "destination.format_version",
                     ToString(ident), created.metadata->format_version, table.format_version);
  }
  return created;
}

Result<LoadedTable> RestCatalog::Create(const TableIdent& ident, const iceberg::NewTable& table) {
  auto body = session_.Send({.method = "POST",
                             .path = NamespacePath(ident.namespace_levels) + "/tables",
                             .body = rest::NewTableToJson(ident.name, table, /*stage_create=*/false),
                             .idempotency_key = NewKey()});
  if (!body) {
    return OfCreation(std::move(body).error()).WithContext(fmt::format("making table {}", ToString(ident)));
  }
  TRY(rest::TableAnswer answer, AfterChange(rest::ReadTable(*body)));
  return Remember(ident, std::move(answer));
}

Result<LoadedTable> RestCatalog::CreateStaged(const TableIdent& ident, const iceberg::NewTable& table) {
  // The server would number the fields anew. Of a staged table it tells the place, and takes the ids as they are.
  auto body = session_.Send({.method = "POST",
                             .path = NamespacePath(ident.namespace_levels) + "/tables",
                             .body = rest::NewTableToJson(ident.name, table, /*stage_create=*/true)});
  if (!body) {
    return AsRepeatable(OfCreation(std::move(body).error()))
        .WithContext(fmt::format("staging table {}", ToString(ident)));
  }
  TRY(const rest::TableAnswer staged, OfAnswer(rest::ReadTable(*body)));
  auto made = CommitTable({.table = ident,
                           .requirements = {iceberg::AssertCreate{}},
                           .updates = rest::UpdatesToCreate(table, staged.metadata)});
  if (!made && made.error().kind() == ErrorKind::kConflict) {
    return std::move(made).error().WithKind(ErrorKind::kAlreadyExists);
  }
  return made;
}

Status RestCatalog::RenameTable(const TableIdent& from, const TableIdent& to) {
  const auto renamed =
      session_.Send({.method = "POST",
                     .path = Path("tables/rename"),
                     .body = {{"source", rest::TableIdentToJson(from)}, {"destination", rest::TableIdentToJson(to)}},
                     .idempotency_key = NewKey()});
  if (!renamed) {
    Error error = renamed.error();
    if (IsStatus(error, "409")) error = std::move(error).WithKind(ErrorKind::kAlreadyExists);
    if (error.kind() != ErrorKind::kCommitUnknown) return error;
    const auto old_one = LoadTable(from);
    const bool gone = !old_one && old_one.error().kind() == ErrorKind::kTableNotFound;
    if (!gone || !LoadTable(to)) return std::move(error).WithKind(ErrorKind::kTransient);
  }
  Forget(from);
  return {};
}

Status RestCatalog::DropTable(const TableIdent& ident) {
  const auto dropped = session_.Send({.method = "DELETE",
                                      .path = TablePath(ident),
                                      .query = {{"purgeRequested", "false"}},
                                      .idempotency_key = NewKey()});
  if (!dropped) {
    Error error = dropped.error();
    if (IsStatus(error, "404")) error = std::move(error).WithKind(ErrorKind::kTableNotFound);
    if (error.kind() != ErrorKind::kCommitUnknown) return error;
    const auto still = LoadTable(ident);
    if (still.has_value() || still.error().kind() != ErrorKind::kTableNotFound) {
      return std::move(error).WithKind(ErrorKind::kTransient);
    }
  }
  Forget(ident);
  return {};
}

bool RestCatalog::CommitsTablesTogether() const { return Offers(kCommitTogether); }

Json RestCatalog::ToJson(const CommitRequest& request) {
  // What is known of a table by the name of a new one is of another, which is gone.
  const bool is_new = std::ranges::any_of(request.requirements, [](const iceberg::Requirement& requirement) {
    return std::holds_alternative<iceberg::AssertCreate>(requirement);
  });
  iceberg::TableMetadataPtr base;
  if (!is_new) {
    std::lock_guard lock(mutex_);
    if (const auto known = known_.find(request.table); known != known_.end()) base = known->second.metadata;
  }
  return rest::CommitRequestToJson(request, base.get());
}

Result<LoadedTable> RestCatalog::CommitTable(const CommitRequest& request) {
  auto body = session_.Send(
      {.method = "POST", .path = TablePath(request.table), .body = ToJson(request), .idempotency_key = NewKey()});
  if (!body) {
    Error error = std::move(body).error();
    if (IsStatus(error, "404")) error = std::move(error).WithKind(ErrorKind::kTableNotFound);
    return std::move(error).WithContext(fmt::format("table {}", ToString(request.table)));
  }
  TRY(rest::TableAnswer answer, AfterChange(rest::ReadTable(*body)).Context("table {}", ToString(request.table)));
  return Remember(request.table, std::move(answer));
}

Result<std::vector<LoadedTable>> RestCatalog::CommitTables(std::span<const CommitRequest> requests) {
  if (store_ != nullptr) TRY_VOID(store_->MakeDurable());
  std::vector<LoadedTable> committed;
  if (requests.size() < 2 || !CommitsTablesTogether()) {
    for (const CommitRequest& request : requests) {
      TRY(LoadedTable table, CommitTable(request));
      committed.push_back(std::move(table));
    }
    return committed;
  }

  Json changes = Json::array();
  for (const CommitRequest& request : requests) changes.push_back(ToJson(request));
  const auto answer = session_.Send({.method = "POST",
                                     .path = Path("transactions/commit"),
                                     .body = {{"table-changes", std::move(changes)}},
                                     .idempotency_key = NewKey()});
  if (!answer) {
    Error error = answer.error();
    if (IsStatus(error, "404")) error = std::move(error).WithKind(ErrorKind::kTableNotFound);
    return std::move(error).WithContext(fmt::format("{} tables together", requests.size()));
  }
  // The answer holds no metadata.
  for (const CommitRequest& request : requests) {
    auto loaded = LoadTable(request.table);
    if (!loaded) return std::move(loaded).error().WithKind(ErrorKind::kCommitUnknown).WithContext("after the commit");
    TRY_VOID(CheckIsThere(request, *loaded->metadata));
    committed.push_back(std::move(*loaded));
  }
  return committed;
}

Result<std::vector<storage::VendedSettings>> RestCatalog::Vend(std::string_view location) {
  const auto is_below = [&](const std::string& folder) {
    return !folder.empty() && storage::IsAtOrBelow(location, folder);
  };
  // What is for all prefixes is this table's all the same: another has its own.
  const auto of_table = [](std::vector<storage::VendedSettings> vended, const std::string& table_location) {
    for (storage::VendedSettings& settings : vended) {
      if (settings.prefix.empty()) settings.prefix = table_location + "/";
    }
    return vended;
  };
  std::optional<KnownTable> found;
  {
    std::lock_guard lock(mutex_);
    KnownTable* closest = nullptr;
    size_t length = 0;
    for (auto& [ident, table] : known_) {
      size_t matched = is_below(table.location) ? table.location.size() : 0;
      for (const auto& vended : table.vended) {
        if (is_below(vended.prefix)) matched = std::max(matched, vended.prefix.size());
      }
      if (matched > length) {
        closest = &table;
        length = matched;
      }
    }
    if (closest == nullptr) return std::vector<storage::VendedSettings>();
    // A table of which nothing is vended stays so.
    if (!std::exchange(closest->handed_out, true) || closest->vended.empty()) {
      return of_table(closest->vended, closest->location);
    }
    found = *closest;
  }

  if (!Offers(kLoadCredentials)) {
    TRY([[maybe_unused]] const LoadedTable table, LoadTable(found->ident));
    std::lock_guard lock(mutex_);
    KnownTable& fresh = known_[found->ident];
    fresh.handed_out = true;
    return of_table(fresh.vended, fresh.location);
  }
  TRY(const std::string body, session_.Send({.path = TablePath(found->ident) + "/credentials"}));
  TRY(const auto credentials, OfAnswer(rest::ReadStorageCredentials(body)));
  return of_table(rest::ToVendedSettings(found->config, credentials), found->location);
}

}  // namespace firn::catalog
