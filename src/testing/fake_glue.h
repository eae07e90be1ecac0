// Glue's Data Catalog in this process, for tests: as strict as the real one about names, versions and signatures' form,
// in pages of two, and it fails on request. Thread-safe.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalog/glue/glue_client.h"
#include "testing/scripted_http_server.h"

namespace firn::testing {

class FakeGlue {
 public:
  using json = nlohmann::json;
  using Reply = ScriptedReply;

  /// What becomes of a call.
  struct Failure {
    std::string action;  ///< "UpdateTable"
    Reply reply;
    bool done_all_the_same = false;
  };

  catalog::GlueClientOptions Client() const {
    return {.region = "eu-central-1", .endpoint = server_.url(), .credentials = [] {
              return AwsCredentials{.access_key_id = "AKIDEXAMPLE", .secret_access_key = "hunter2"};
            }};
  }
  /// The next call of the action fails; several for one action come in order.
  void FailNext(Failure failure) {
    std::lock_guard lock(mutex_);
    failures_.push_back(std::move(failure));
  }
  static Reply Refusal(const std::string& code, int status = 400) {
    return {.status = status, .body = json{{"__type", code}, {"Message", "as the test asks"}}.dump()};
  }
  /// The Table as GetTable gives it; null where there is none.
  json Table(const std::string& database, const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto table = tables_.find({database, name});
    return table == tables_.end() ? json() : table->second;
  }
  void SetTable(const std::string& database, const std::string& name, json table) {
    std::lock_guard lock(mutex_);
    tables_[{database, name}] = std::move(table);
  }
  void SetDatabase(const std::string& name, json database) {
    std::lock_guard lock(mutex_);
    databases_[name] = std::move(database);
  }
  /// How often the action was called.
  int Calls(const std::string& action) const {
    const auto requests = server_.requests();
    return static_cast<int>(std::ranges::count_if(requests, [&](const ScriptedRequest& request) {
      return request.header("x-amz-target") == "AWSGlue." + action;
    }));
  }
  ScriptedRequest LastRequest() const { return server_.requests().back(); }

 private:
  static Reply Answer(const json& body) { return {.status = 200, .body = body.dump()}; }

  Reply Handle(const ScriptedRequest& request) {
    if (request.method != "POST" || request.target != "/" || request.header("host").empty() ||
        request.header("content-type") != "application/x-amz-json-1.1" ||
        !request.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")) {
      return Refusal("IncompleteSignatureException");
    }
    const std::string action = request.header("x-amz-target").substr(std::string("AWSGlue.").size());
    const json body = json::parse(request.body);
    std::lock_guard lock(mutex_);
    const auto failure =
        std::ranges::find_if(failures_, [&](const Failure& candidate) { return candidate.action == action; });
    if (failure == failures_.end()) return Do(action, body);
    const Failure found = *failure;
    failures_.erase(failure);
    if (found.done_all_the_same) Do(action, body);
    return found.reply;
  }

  Reply Do(const std::string& action, const json& body) {
    if (action == "CreateDatabase") {
      const json& input = body.at("DatabaseInput");
      const bool made = databases_.emplace(input.at("Name").get<std::string>(), input).second;
      return made ? Answer(json::object()) : Refusal("AlreadyExistsException");
    }
    if (action == "GetDatabase") {
      const auto database = databases_.find(body.at("Name").get<std::string>());
      return database == databases_.end() ? Refusal("EntityNotFoundException")
                                          : Answer({{"Database", database->second}});
    }
    if (action == "GetDatabases") {
      json all = json::array();
      for (const auto& [name, database] : databases_) all.push_back(database);
      return Page("DatabaseList", all, body);
    }
    if (action == "CreateTable" || action == "UpdateTable") return Put(action == "CreateTable", body);
    const std::string database = body.at("DatabaseName");
    if (!databases_.contains(database)) return Refusal("EntityNotFoundException");
    if (action == "GetTables") {
      json all = json::array();
      for (const auto& [key, table] : tables_) {
        if (key.first == database) all.push_back(table);
      }
      return Page("TableList", all, body);
    }
    const auto table = tables_.find({database, body.at("Name").get<std::string>()});
    if (table == tables_.end()) return Refusal("EntityNotFoundException");
    if (action == "GetTable") return Answer({{"Table", table->second}});
    if (action != "DeleteTable") return Refusal("UnknownOperationException");
    tables_.erase(table);
    return Answer(json::object());
  }

  Reply Put(bool create, const json& body) {
    const std::string database = body.at("DatabaseName");
    json table = body.at("TableInput");
    const std::string name = table.at("Name");
    for (const json& column : table.at("StorageDescriptor").at("Columns")) {
      if (column.value("Comment", "").size() > 255) return Refusal("InvalidInputException");
    }
    if (!databases_.contains(database)) return Refusal("EntityNotFoundException");
    const auto existing = tables_.find({database, name});
    if (create && existing != tables_.end()) return Refusal("AlreadyExistsException");
    if (!create && existing == tables_.end()) return Refusal("EntityNotFoundException");
    int version = 0;
    if (!create) {
      const std::string current = existing->second.at("VersionId");
      if (body.contains("VersionId") && body.at("VersionId") != current) {
        return Refusal("ConcurrentModificationException");
      }
      version = std::stoi(current) + 1;
    }
    table["DatabaseName"] = database;
    table["VersionId"] = std::to_string(version);
    table["CreateTime"] = 1.7e9;
    tables_[{database, name}] = std::move(table);
    return Answer(json::object());
  }

  static Reply Page(const char* list, const json& all, const json& body) {
    constexpr size_t kPageSize = 2;
    const size_t begin = body.contains("NextToken") ? std::stoul(body.at("NextToken").get<std::string>()) : 0;
    const size_t end = std::min(begin + kPageSize, all.size());
    json answer = {{list, json::array()}};
    for (size_t i = begin; i < end; ++i) answer[list].push_back(all[i]);
    if (end < all.size()) answer["NextToken"] = std::to_string(end);
    return Answer(answer);
  }

  mutable std::mutex mutex_;
  std::map<std::string, json> databases_;
  std::map<std::pair<std::string, std::string>, json> tables_;
  std::deque<Failure> failures_;
  ScriptedHttpServer server_{[this](const ScriptedRequest& request) { return Handle(request); }};
};

}  // namespace firn::testing
