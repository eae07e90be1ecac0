#include "pipeline/source_watch.h"

#include <utility>

#include "base/try.h"
#include "postgres/table_version.h"

namespace firn::pipeline {

namespace {

constexpr std::chrono::seconds kSetInterval{1};

}  // namespace

SourceWatch::SourceWatch(SourceOptions options, const std::vector<SourceTable>& tables, TableSet table_set)
    : options_(std::move(options)), table_set_(std::move(table_set)) {
  for (const SourceTable& table : tables) {
    oids_.push_back(table.oid);
    fingerprints_.emplace(table.oid, table.version.fingerprint);
  }
}

Result<SourceLook> SourceWatch::Look(std::span<const postgres::Xid> transactions) {
  if (!connection_) {
    TRY(connection_, postgres::OpenForCatalogs(options_.connection));
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
  const auto time = std::chrono::steady_clock::now();
  if (time < next_set_look_) return look;
  TRY(const TableSet set, ReadTableSet(connection, options_));
  look.tables_changed = set != table_set_;
  next_set_look_ = time + kSetInterval;
  return look;
}

}  // namespace firn::pipeline
