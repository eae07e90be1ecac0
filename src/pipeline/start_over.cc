#include "pipeline/start_over.h"

#include "base/try.h"
#include "observe/log.h"
#include "pipeline/acknowledged_position.h"
#include "pipeline/parked_tables.h"
#include "postgres/replication_slot.h"

namespace firn::pipeline {

bool StartsOver(const SourceOptions& options, const Error& error) {
  return options.copies_after_loss && error.kind() == ErrorKind::kSourceLost && error.origin() == ErrorOrigin::kSource;
}

Status StartOver(const SourceOptions& options, catalog::Catalog& catalog, std::span<const SourceTable> tables,
                 const TargetNaming& naming, const PipelineIdentity& writer, const RetryPolicy& retry,
                 const std::string& state_dir, const Error& loss, std::stop_token stop) {
  TRY(auto connection, postgres::Connection::Open(options.connection));
  TRY(const auto slot, postgres::ReadSlot(connection, options.slot));
  if (slot && slot->active) return loss;
  LogWarn("changes are lost: all tables are copied again", {{"slot", options.slot}, {"reason", loss.message()}});
  for (const SourceTable& table : tables) {
    TRY_VOID(MarkTable(catalog, naming.IdentOf(table.name), writer, loss.message(), retry, stop)
                 .Context("table {}", table.name));
  }
  if (slot) TRY_VOID(postgres::DropSlot(connection, options.slot));
  return ForgetAcknowledged(state_dir);
}

}  // namespace firn::pipeline
