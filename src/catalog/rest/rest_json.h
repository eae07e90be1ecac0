// What is said to a REST catalog and what it answers, as JSON (Iceberg's REST catalog OpenAPI, "components/schemas").
// Readers give kCorrupt naming the member; what this room does not need is not read. Thread-safety: pure.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "iceberg/table_update.h"

namespace firn::catalog::rest {

using Json = nlohmann::ordered_json;
using Settings = std::map<std::string, std::string>;

// --- Requests ---
Json RequirementToJson(const iceberg::Requirement& requirement);
Json UpdateToJson(const iceberg::Update& update);
Json TableIdentToJson(const iceberg::TableIdent& ident);
/// The updates with the ids that what they add gets in a table with this metadata. Most servers number it themselves;
/// Nessie refuses an id that is taken. What the table had before is then named by its id: for Iceberg's Java it is not
/// "the one just added".
std::vector<iceberg::Update> WithIdsOfAdded(std::vector<iceberg::Update> updates, const iceberg::TableMetadata& base);
/// CommitTableRequest, with its identifier. `base`: the table's metadata, by which what is added is numbered; null: it
/// is not.
Json CommitRequestToJson(const iceberg::CommitRequest& request, const iceberg::TableMetadata* base);
/// CreateTableRequest.
Json NewTableToJson(const std::string& name, const iceberg::NewTable& table, bool stage_create);

/// Whether a server that numbers the fields of a new table itself, as all do (each struct's fields, then what is in
/// them; partition fields from 1000), gives the same ids as `table` has.
bool HasIdsAsServersGiveThem(const iceberg::NewTable& table);
/// The updates by which the staged table `staged` becomes `table` with its ids as they are.
std::vector<iceberg::Update> UpdatesToCreate(const iceberg::NewTable& table, const iceberg::TableMetadata& staged);

// --- Answers ---
/// CatalogConfig.
struct CatalogConfigAnswer {
  Settings defaults;
  Settings overrides;
  std::optional<std::set<std::string>> endpoints;  ///< "POST /v1/{prefix}/transactions/commit"; nothing: not said.
  bool takes_idempotency_keys = false;
};
Result<CatalogConfigAnswer> ReadCatalogConfig(std::string_view text);

/// StorageCredential.
struct StorageCredential {
  std::string prefix;
  Settings config;
};

/// LoadTableResult, and CommitTableResponse, which has its first two members.
struct TableAnswer {
  std::string metadata_location;  ///< Empty: none, as of a staged table.
  iceberg::TableMetadata metadata;
  Settings config;
  std::vector<StorageCredential> storage_credentials;
};
Result<TableAnswer> ReadTable(std::string_view text);
/// LoadCredentialsResponse.
Result<std::vector<StorageCredential>> ReadStorageCredentials(std::string_view text);

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;  ///< Empty: this is the last one.
};
Result<Page<iceberg::TableIdent>> ReadTables(std::string_view text);
Result<Page<std::vector<std::string>>> ReadNamespaces(std::string_view text);

/// ErrorModel: what went wrong, in the server's words. Nothing where the body is none.
struct ErrorAnswer {
  std::string message;
  std::string type;  ///< "NoSuchTableException"
};
std::optional<ErrorAnswer> ReadError(std::string_view text);

/// OAuthTokenResponse.
struct TokenAnswer {
  std::string access_token;
  std::optional<int64_t> expires_in_seconds;
};
Result<TokenAnswer> ReadToken(std::string_view text);
/// OAuthError: "invalid_client: …"; empty where the body is none.
std::string ReadTokenError(std::string_view text);

}  // namespace firn::catalog::rest
