#include "pipeline/source_watch.h"

#include <utility>

#include "base/try.h"
#include "postgres/table_version.h"

namespace firn::pipeline {

SourceWatch::SourceWatch(postgres::ConnectionOptions connection, const std::vector<SourceTable>& tables,
                         std::set<TableName>& awaited)
    : options_(std::move(connection)), awaited_(awaited) {
  for (const SourceTable& table : tables) {
    oids_.push_back(table.oid);
    fingerprints_.emplace(table.oid, table.version.fingerprint);
  }
}

Result<SourceLook> SourceWatch::Look(std::span<const postgres::Xid> transactions) {
  if (!connection_) {
    TRY(connection_, postgres::Connection::Open(options_));
  }
  auto look = Look(*connection_, transactions);
  if (!look) connection_.reset();
  return look;
}

Result<SourceLook> SourceWatch::Look(postgres::Connection& connection, std::span<const postgres::Xid> transactions) {
  SourceLook look;
  // Before the definitions: what has ended by now is seen by then.
  TRY(look.saw_all, postgres::HaveEnded(connection, transactions));
  TRY(std::vector<postgres::TableFingerprint> found, postgres::ReadFingerprints(connection, oids_));
  std::map<TableOid, std::string> now;
  for (postgres::TableFingerprint& table : found) now.emplace(table.oid, std::move(table.fingerprint));
  for (const auto& [oid, fingerprint] : fingerprints_) {
    const auto position = now.find(oid);
    if (position == now.end() || position->second != fingerprint) look.changed.push_back(oid);
  }
  if (awaited_.empty()) return look;
  TRY(const auto made, postgres::FindTables(connection, std::vector(awaited_.begin(), awaited_.end())));
  for (const auto& [name, oid] : made) {
    awaited_.erase(name);
    look.changed.push_back(oid);
  }
  return look;
}

}  // namespace firn::pipeline
