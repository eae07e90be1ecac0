#include "pipeline/source_watch.h"

#include <utility>

#include "base/try.h"
#include "postgres/table_version.h"

namespace firn::pipeline {

SourceWatch::SourceWatch(postgres::ConnectionOptions connection, const std::vector<SourceTable>& tables)
    : options_(std::move(connection)) {
  for (const SourceTable& table : tables) {
    oids_.push_back(table.oid);
    fingerprints_.emplace(table.oid, table.version.fingerprint);
  }
}

Result<std::vector<TableOid>> SourceWatch::Look() {
  if (!connection_) {
    TRY(connection_, postgres::Connection::Open(options_));
  }
  auto found = postgres::ReadFingerprints(*connection_, oids_);
  if (!found) {
    connection_.reset();
    return std::move(found).error();
  }
  std::map<TableOid, std::string> now;
  for (postgres::TableFingerprint& table : *found) now.emplace(table.oid, std::move(table.fingerprint));
  std::vector<TableOid> changed;
  for (const auto& [oid, fingerprint] : fingerprints_) {
    const auto position = now.find(oid);
    if (position == now.end() || position->second != fingerprint) changed.push_back(oid);
  }
  return changed;
}

}  // namespace firn::pipeline
