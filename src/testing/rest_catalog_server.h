// Iceberg's REST protocol over a MemoryCatalog, in this process: a server for tests of the client, as strict as a real
// one. It numbers the fields of new tables anew, lists in small pages, and can ask for tokens, vend settings and fail.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "http/percent_encoding.h"
#include "iceberg/json_member.h"
#include "iceberg/schema_json.h"
#include "iceberg/table_metadata_json.h"
#include "testing/memory_catalog.h"
#include "testing/scripted_http_server.h"

namespace firn::testing {

struct RestServerOptions {
  bool commits_tables_together = true;
  bool lists_endpoints = true;
  bool takes_idempotency_keys = false;
  std::string prefix = "main|wh";
  std::string separator = "%1F";
  std::string warehouse = "memory://warehouse";  ///< Where its tables are.
  std::string client;  ///< "id:secret" that must ask for tokens; empty: anyone may do everything.
  std::optional<int64_t> token_life_seconds = 3600;
  iceberg::Json table_config = iceberg::Json::object();
  iceberg::Json storage_credentials = iceberg::Json::array();
  bool offers_credentials = false;
};

class RestCatalogServer {
 public:
  using Json = iceberg::Json;
  /// Sees a request before it is answered, and may answer in the catalog's place.
  using Intercept = std::function<std::optional<ScriptedReply>(const ScriptedRequest&)>;
  /// Sees a request and its answer, and may give another in its place: the catalog has done what was asked.
  using Replace = std::function<std::optional<ScriptedReply>(const ScriptedRequest&, const ScriptedReply&)>;

  explicit RestCatalogServer(RestServerOptions options = {})
      : options_(std::move(options)),
        catalog_(options_.commits_tables_together, options_.warehouse),
        server_([this](const ScriptedRequest& request) { return Answer(request); }) {}

  std::string url() const { return server_.url(); }
  MemoryCatalog& catalog() { return catalog_; }
  std::vector<ScriptedRequest> requests() const { return server_.requests(); }
  /// Requests whose method and path end so: "POST", "/oauth/tokens".
  int Count(const std::string& method, const std::string& path_end) const {
    const auto all = server_.requests();
    return static_cast<int>(std::ranges::count_if(
        all, [&](const ScriptedRequest& r) { return r.method == method && r.path().ends_with(path_end); }));
  }

  void OnRequest(Intercept intercept) {
    std::lock_guard lock(mutex_);
    intercept_ = std::move(intercept);
  }
  void OnAnswer(Replace replace) {
    std::lock_guard lock(mutex_);
    replace_ = std::move(replace);
  }
  /// Every token given so far is refused from now on, with this status.
  void RevokeTokens(int status = 401) {
    std::lock_guard lock(mutex_);
    tokens_.clear();
    refusal_ = status;
  }

 private:
  static constexpr size_t kPageSize = 2;

  static ScriptedReply Ok(const Json& body) {
    return {.status = 200, .body = body.dump(), .headers = {{"Content-Type", "application/json"}}};
  }
  static ScriptedReply Fail(int status, const std::string& type, const std::string& message) {
    const Json body = {{"error", {{"message", message}, {"type", type}, {"code", status}}}};
    return {.status = status, .body = body.dump(), .headers = {{"Content-Type", "application/json"}}};
  }
  static ScriptedReply Fail(const Error& error) {
    switch (error.kind()) {
      case ErrorKind::kTableNotFound:
        return Fail(404, "NoSuchTableException", error.message());
      case ErrorKind::kNotFound:
        return Fail(404, "NoSuchNamespaceException", error.message());
      case ErrorKind::kAlreadyExists:
        return Fail(409, "AlreadyExistsException", error.message());
      case ErrorKind::kConflict:
        return Fail(409, "CommitFailedException", error.message());
      case ErrorKind::kPermission:
        return Fail(403, "ForbiddenException", error.message());
      case ErrorKind::kTransient:
        return Fail(429, "TooManyRequests", error.message());
      case ErrorKind::kCommitUnknown:
        return Fail(500, "CommitStateUnknownException", error.message());
      default:
        return Fail(400, "BadRequestException", error.message());
    }
  }

  ScriptedReply Answer(const ScriptedRequest& request) {
    Intercept intercept;
    Replace replace;
    {
      std::lock_guard lock(mutex_);
      intercept = intercept_;
      replace = replace_;
    }
    if (intercept) {
      if (auto reply = intercept(request)) return *reply;
    }
    ScriptedReply reply = Route(request);
    if (replace) {
      if (auto other = replace(request, reply)) return *other;
    }
    return reply;
  }

  ScriptedReply Route(const ScriptedRequest& request) {
    if (request.path() == "/v1/oauth/tokens") return GiveToken(request);
    if (auto refused = CheckToken(request)) return *refused;
    if (request.path() == "/v1/config") return Config();
    std::string start = "/v1/";
    if (!options_.prefix.empty()) start += http::PercentEncode(options_.prefix) + "/";
    if (!request.path().starts_with(start)) return Fail(404, "NotFound", "no such route: " + request.path());
    std::vector<std::string> parts;
    const std::string path = request.path().substr(start.size());
    for (size_t from = 0; from <= path.size();) {
      const size_t to = std::min(path.find('/', from), path.size());
      parts.push_back(path.substr(from, to - from));
      from = to + 1;
    }
    Result<ScriptedReply> reply = RouteParts(request, parts);
    return reply.has_value() ? *reply : Fail(reply.error());
  }

  Result<ScriptedReply> RouteParts(const ScriptedRequest& request, const std::vector<std::string>& parts) {
    const std::string& method = request.method;
    Json body;
    if (!request.body.empty()) {
      TRY(body, iceberg::ParseJson(request.body));
    }
    if (parts[0] == "namespaces" && parts.size() == 1 && method == "GET") return ListNamespaces(request);
    if (parts[0] == "namespaces" && parts.size() == 1 && method == "POST") return MakeNamespace(body);
    if (parts[0] == "tables" && parts.size() == 2 && parts[1] == "rename" && method == "POST") {
      TRY_VOID(catalog_.RenameTable(Ident(body.at("source")), Ident(body.at("destination"))));
      return ScriptedReply{.status = 204, .body = "", .headers = {}};
    }
    if (parts[0] == "transactions" && parts.size() == 2 && method == "POST" && options_.commits_tables_together) {
      std::vector<iceberg::CommitRequest> requests;
      for (const Json& change : body.at("table-changes")) {
        TRY(iceberg::CommitRequest commit, ReadCommit(Ident(change.at("identifier")), change));
        requests.push_back(std::move(commit));
      }
      TRY([[maybe_unused]] const auto tables, catalog_.CommitTables(requests));
      return ScriptedReply{.status = 204, .body = "", .headers = {}};
    }
    if (parts[0] != "namespaces" || parts.size() < 2) return Fail(404, "NotFound", "no such route");
    const std::vector<std::string> levels = Levels(parts[1]);
    if (parts.size() == 2 && method == "GET") {
      TRY([[maybe_unused]] const auto tables, catalog_.ListTables(levels));
      return Ok({{"namespace", levels}, {"properties", Json::object()}});
    }
    if (parts.size() == 3 && method == "GET") {
      TRY(const auto tables, catalog_.ListTables(levels));
      Json items = Json::array();
      for (const auto& ident : tables) items.push_back({{"namespace", ident.namespace_levels}, {"name", ident.name}});
      return Ok(Page(request, "identifiers", items));
    }
    if (parts.size() == 3 && method == "POST") return CreateTable(levels, body);
    if (parts.size() < 4) return Fail(404, "NotFound", "no such route");
    const iceberg::TableIdent ident{levels, http::PercentDecode(parts[3])};
    if (parts.size() == 5 && parts[4] == "credentials" && options_.offers_credentials) {
      return Ok({{"storage-credentials", options_.storage_credentials}});
    }
    if (parts.size() != 4) return Fail(404, "NotFound", "no such route");
    if (method == "GET") {
      TRY(const auto table, catalog_.LoadTable(ident));
      return Ok(TableToJson(table));
    }
    if (method == "DELETE") {
      TRY_VOID(catalog_.DropTable(ident));
      return ScriptedReply{.status = 204, .body = "", .headers = {}};
    }
    TRY(const iceberg::CommitRequest commit, ReadCommit(ident, body));
    const bool creates = std::ranges::any_of(commit.requirements, [](const auto& requirement) {
      return std::holds_alternative<iceberg::AssertCreate>(requirement);
    });
    if (creates) return CreateByCommit(commit);
    TRY(const auto tables, catalog_.CommitTables(std::span(&commit, 1)));
    return Ok(TableToJson(tables.front()));
  }

  ScriptedReply Config() const {
    Json body = {{"defaults", {{"prefix", "nonsense"}}},
                 {"overrides", {{"prefix", options_.prefix}, {"namespace-separator", options_.separator}}}};
    if (options_.takes_idempotency_keys) body["idempotency-key-lifetime"] = "PT30M";
    if (options_.lists_endpoints) {
      Json& endpoints = body["endpoints"] = Json::array({"GET /v1/{prefix}/namespaces"});
      if (options_.commits_tables_together) endpoints.push_back("POST /v1/{prefix}/transactions/commit");
      if (options_.offers_credentials) {
        endpoints.push_back("GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials");
      }
    }
    return Ok(body);
  }

  ScriptedReply GiveToken(const ScriptedRequest& request) {
    std::map<std::string, std::string> form;
    for (size_t from = 0; from < request.body.size();) {
      const size_t to = std::min(request.body.find('&', from), request.body.size());
      const std::string parameter = request.body.substr(from, to - from);
      const size_t equals = parameter.find('=');
      form[http::PercentDecode(parameter.substr(0, equals))] = http::PercentDecode(parameter.substr(equals + 1));
      from = to + 1;
    }
    if (form["grant_type"] != "client_credentials" ||
        form["client_id"] + ":" + form["client_secret"] != options_.client) {
      return {.status = 401,
              .body = R"({"error": "invalid_client", "error_description": "who are you"})",
              .headers = {{"Content-Type", "application/json"}}};
    }
    std::lock_guard lock(mutex_);
    const std::string token = "token-" + std::to_string(++token_count_);
    tokens_.insert(token);
    Json body = {{"access_token", token}, {"token_type", "bearer"}};
    if (options_.token_life_seconds) body["expires_in"] = *options_.token_life_seconds;
    return Ok(body);
  }

  std::optional<ScriptedReply> CheckToken(const ScriptedRequest& request) {
    if (options_.client.empty()) return std::nullopt;
    std::lock_guard lock(mutex_);
    const std::string header = request.header("authorization");
    if (header.starts_with("Bearer ") && tokens_.contains(header.substr(7))) return std::nullopt;
    return Fail(refusal_, "NotAuthorizedException", "no valid token");
  }

  static Json Page(const ScriptedRequest& request, const std::string& name, const Json& items) {
    size_t from = 0;
    const std::string query = "&" + request.query();
    if (const size_t token = query.find("&pageToken="); token != query.npos && std::isdigit(query[token + 11]) != 0) {
      from = std::stoul(query.substr(token + 11));
    }
    Json page = {{name, Json::array()}, {"next-page-token", nullptr}};
    for (size_t i = from; i < std::min(items.size(), from + kPageSize); ++i) page[name].push_back(items[i]);
    if (from + kPageSize < items.size()) page["next-page-token"] = std::to_string(from + kPageSize);
    return page;
  }

  std::vector<std::string> Levels(const std::string& encoded) const {
    std::vector<std::string> levels;
    for (size_t from = 0; from <= encoded.size();) {
      const size_t to = std::min(encoded.find(options_.separator, from), encoded.size());
      levels.push_back(http::PercentDecode(encoded.substr(from, to - from)));
      from = to + options_.separator.size();
    }
    return levels;
  }
  static iceberg::TableIdent Ident(const Json& json) {
    return {json.at("namespace").get<std::vector<std::string>>(), json.at("name").get<std::string>()};
  }

  Result<ScriptedReply> ListNamespaces(const ScriptedRequest& request) {
    std::vector<std::string> parent;
    const std::string query = "&" + request.query();
    if (const size_t at = query.find("&parent="); at != query.npos) {
      std::string joined = http::PercentDecode(query.substr(at + 8, query.find('&', at + 1) - at - 8));
      const std::string separator = http::PercentDecode(options_.separator);
      for (size_t end = 0; (end = joined.find(separator)) != joined.npos; joined.erase(0, end + separator.size())) {
        parent.push_back(joined.substr(0, end));
      }
      parent.push_back(joined);
    }
    TRY(const auto all, catalog_.ListNamespaces());
    Json items = Json::array();
    for (const auto& levels : all) {
      if (levels.size() == parent.size() + 1 && std::equal(parent.begin(), parent.end(), levels.begin())) {
        items.push_back(levels);
      }
    }
    return Ok(Page(request, "namespaces", items));
  }

  Result<ScriptedReply> MakeNamespace(const Json& body) {
    const auto levels = body.at("namespace").get<std::vector<std::string>>();
    TRY(const auto all, catalog_.ListNamespaces());
    const auto exists = [&](const std::vector<std::string>& wanted) {
      return std::ranges::find(all, wanted) != all.end();
    };
    if (exists(levels)) return Fail(409, "AlreadyExistsException", "the namespace exists");
    if (levels.size() > 1 && !exists({levels.begin(), levels.end() - 1})) {
      return Fail(404, "NoSuchNamespaceException", "the parent does not exist");
    }
    TRY_VOID(catalog_.EnsureNamespace(levels));
    return Ok({{"namespace", levels}, {"properties", Json::object()}});
  }

  Json TableToJson(const catalog::LoadedTable& table) const {
    Json json = {{"metadata-location", table.metadata_location}, {"metadata", TableMetadataToJson(*table.metadata)}};
    if (!options_.table_config.empty()) json["config"] = options_.table_config;
    if (!options_.storage_credentials.empty()) json["storage-credentials"] = options_.storage_credentials;
    return json;
  }

  static void Renumber(std::vector<iceberg::Field>& fields, int32_t& next) {
    for (iceberg::Field& field : fields) field.id = next++;
    for (iceberg::Field& field : fields) Renumber(field.type.fields, next);
  }

  Result<ScriptedReply> CreateTable(const std::vector<std::string>& levels, const Json& body) {
    iceberg::NewTable table;
    TRY(table.schema, iceberg::SchemaFromJson(body.at("schema")));
    int32_t next = 1;
    Renumber(table.schema.fields, next);
    if (body.contains("partition-spec")) {
      TRY(table.spec, iceberg::PartitionSpecFromJson(body.at("partition-spec")));
    }
    table.properties = body.at("properties").get<iceberg::Properties>();
    table.format_version = std::stoi(table.properties.at("format-version"));
    table.properties.erase("format-version");
    table.location = body.value("location", "");
    const iceberg::TableIdent ident{levels, body.at("name").get<std::string>()};
    if (!body.at("stage-create").get<bool>()) {
      TRY(const auto made, catalog_.CreateTable(ident, table));
      return Ok(TableToJson(made));
    }
    if (catalog_.LoadTable(ident)) return Fail(409, "AlreadyExistsException", "the table exists");
    TRY([[maybe_unused]] const auto tables, catalog_.ListTables(levels));
    if (table.location.empty()) table.location = "memory://staged/" + ident.name;
    TRY(iceberg::TableMetadata staged, iceberg::MakeTableMetadata(table, 1));
    return Ok({{"metadata-location", nullptr}, {"metadata", TableMetadataToJson(staged)}});
  }

  Result<ScriptedReply> CreateByCommit(const iceberg::CommitRequest& commit) {
    iceberg::NewTable table;
    for (const iceberg::Update& update : commit.updates) {
      if (const auto* schema = std::get_if<iceberg::AddSchema>(&update)) table.schema = schema->schema;
      if (const auto* spec = std::get_if<iceberg::AddPartitionSpec>(&update)) table.spec = spec->spec;
      if (const auto* order = std::get_if<iceberg::AddSortOrder>(&update)) table.sort_order = order->order;
      if (const auto* place = std::get_if<iceberg::SetLocation>(&update)) table.location = place->location;
      if (const auto* properties = std::get_if<iceberg::SetProperties>(&update))
        table.properties = properties->properties;
      if (const auto* version = std::get_if<iceberg::UpgradeFormatVersion>(&update)) {
        table.format_version = version->format_version;
      }
    }
    auto made = catalog_.CreateTable(commit.table, table);
    if (!made && made.error().kind() == ErrorKind::kAlreadyExists) {
      return Fail(409, "CommitFailedException", "the table exists");
    }
    TRY(const auto created, std::move(made));
    return Ok(TableToJson(created));
  }

  static Result<iceberg::CommitRequest> ReadCommit(const iceberg::TableIdent& ident, const Json& body) {
    iceberg::CommitRequest commit{.table = ident, .requirements = {}, .updates = {}};
    for (const Json& json : body.at("requirements")) {
      TRY(iceberg::Requirement requirement, ReadRequirement(json));
      commit.requirements.push_back(std::move(requirement));
    }
    for (const Json& json : body.at("updates")) {
      TRY(iceberg::Update update, ReadUpdate(json));
      commit.updates.push_back(std::move(update));
    }
    return commit;
  }

  static Result<iceberg::Requirement> ReadRequirement(const Json& json) {
    using Kind = iceberg::Requirement;
    const std::string type = json.at("type");
    if (type == "assert-create") return Kind(iceberg::AssertCreate{});
    if (type == "assert-table-uuid") return Kind(iceberg::AssertTableUuid{json.at("uuid")});
    if (type == "assert-ref-snapshot-id") {
      TRY(const auto id, iceberg::OptionalMember<int64_t>(json, "snapshot-id"));
      return Kind(iceberg::AssertRefSnapshotId{json.at("ref"), id});
    }
    if (type == "assert-last-assigned-field-id") {
      return Kind(iceberg::AssertLastAssignedFieldId{json.at("last-assigned-field-id")});
    }
    if (type == "assert-current-schema-id") return Kind(iceberg::AssertCurrentSchemaId{json.at("current-schema-id")});
    if (type == "assert-last-assigned-partition-id") {
      return Kind(iceberg::AssertLastAssignedPartitionId{json.at("last-assigned-partition-id")});
    }
    if (type == "assert-default-spec-id") return Kind(iceberg::AssertDefaultSpecId{json.at("default-spec-id")});
    return MakeError(ErrorKind::kInvalidConfig, "unknown requirement {}", type);
  }

  static Result<iceberg::Update> ReadUpdate(const Json& json) {
    using Kind = iceberg::Update;
    const std::string action = json.at("action");
    if (action == "assign-uuid") return Kind(iceberg::AssignUuid{json.at("uuid")});
    if (action == "upgrade-format-version") return Kind(iceberg::UpgradeFormatVersion{json.at("format-version")});
    if (action == "add-schema") {
      TRY(iceberg::Schema schema, iceberg::SchemaFromJson(json.at("schema")));
      return Kind(iceberg::AddSchema{std::move(schema)});
    }
    if (action == "set-current-schema") return Kind(iceberg::SetCurrentSchema{json.at("schema-id")});
    if (action == "add-spec") {
      TRY(iceberg::PartitionSpec spec, iceberg::PartitionSpecFromJson(json.at("spec")));
      return Kind(iceberg::AddPartitionSpec{std::move(spec)});
    }
    if (action == "set-default-spec") return Kind(iceberg::SetDefaultSpec{json.at("spec-id")});
    if (action == "add-sort-order") {
      TRY(iceberg::SortOrder order, iceberg::SortOrderFromJson(json.at("sort-order")));
      return Kind(iceberg::AddSortOrder{std::move(order)});
    }
    if (action == "set-default-sort-order") return Kind(iceberg::SetDefaultSortOrder{json.at("sort-order-id")});
    if (action == "add-snapshot") {
      TRY(iceberg::Snapshot snapshot, iceberg::SnapshotFromJson(json.at("snapshot")));
      return Kind(iceberg::AddSnapshot{std::move(snapshot)});
    }
    if (action == "set-snapshot-ref") {
      TRY(iceberg::SnapshotRef ref, iceberg::SnapshotRefFromJson(json));
      return Kind(iceberg::SetSnapshotRef{json.at("ref-name"), ref});
    }
    if (action == "remove-snapshots") return Kind(iceberg::RemoveSnapshots{json.at("snapshot-ids")});
    if (action == "remove-snapshot-ref") return Kind(iceberg::RemoveSnapshotRef{json.at("ref-name")});
    if (action == "set-location") return Kind(iceberg::SetLocation{json.at("location")});
    if (action == "set-properties") return Kind(iceberg::SetProperties{json.at("updates")});
    if (action == "remove-properties") return Kind(iceberg::RemoveProperties{json.at("removals")});
    return MakeError(ErrorKind::kInvalidConfig, "unknown update {}", action);
  }

  const RestServerOptions options_;
  std::mutex mutex_;
  Intercept intercept_;
  Replace replace_;
  std::set<std::string> tokens_;
  int token_count_ = 0;
  int refusal_ = 401;
  MemoryCatalog catalog_;
  ScriptedHttpServer server_;
};

}  // namespace firn::testing
