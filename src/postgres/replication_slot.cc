#include "postgres/replication_slot.h"

#include <algorithm>
#include <charconv>

#include "base/failpoint.h"
#include "base/try.h"
#include "postgres/source_catalog.h"

namespace firn::postgres {
namespace {

constexpr size_t kSlotNameMax = 63;  // NAMEDATALEN - 1

Error ExplainCreateFailure(Connection& connection, Error error) {
  std::string remedy;
  if (error.native_code() == "55000") {  // object_not_in_prerequisite_state: wal_level, in every case known
    auto wal_level = connection.Query("SHOW wal_level");
    if (wal_level.has_value() && wal_level->rows() == 1 && wal_level->Get(0, 0) != "logical") {
      return Error(ErrorKind::kInvalidConfig,
                   fmt::format("wal_level is '{}'; set wal_level = logical in postgresql.conf (or by ALTER SYSTEM SET "
                               "wal_level = logical) and restart PostgreSQL",
                               wal_level->Get(0, 0)),
                   ErrorOrigin::kSource, error.native_code());
    }
  } else if (error.native_code() == "53400") {
    remedy =
        "drop slots that nobody uses (SELECT * FROM pg_replication_slots) or raise max_replication_slots and "
        "restart PostgreSQL";
  } else if (error.native_code() == "42501") {
    const std::string role = QuoteIdentifier(connection.user());
    remedy = fmt::format("as a superuser: ALTER ROLE {} REPLICATION (on Amazon RDS: GRANT rds_replication TO {})", role,
                         role);
  }
  if (remedy.empty()) return error;
  return Error(error.kind(), fmt::format("{}; {}", error.message(), remedy), error.origin(), error.native_code());
}

}  // namespace

Result<std::optional<SlotInfo>> ReadSlot(Connection& connection, const std::string& name) {
  // Without parameters, for a replication connection knows the simple query protocol only.
  TRY(const auto found,
      connection
          .Query(fmt::format("SELECT slot_name, coalesce(plugin, ''), coalesce(database, ''), active, "
                             "coalesce(active_pid, 0), coalesce({}, ''), coalesce(confirmed_flush_lsn, '0/0'), "
                             "coalesce(restart_lsn, '0/0') FROM pg_replication_slots WHERE slot_name = {}",
                             connection.server_version() >= 130000 ? "wal_status" : "NULL", QuoteLiteral(name)))
          .Context("reading replication slot {}", name));
  if (found.rows() == 0) return std::nullopt;
  SlotInfo slot{.name = std::string(found.Get(0, 0)),
                .plugin = std::string(found.Get(0, 1)),
                .database = std::string(found.Get(0, 2)),
                .active = found.Get(0, 3) == "t",
                .wal_status = std::string(found.Get(0, 5))};
  const std::string_view pid = found.Get(0, 4);
  std::from_chars(pid.data(), pid.data() + pid.size(), slot.active_pid);
  TRY(slot.confirmed_flush_lsn, Lsn::Parse(found.Get(0, 6)).Context("reading replication slot {}", name));
  TRY(slot.restart_lsn, Lsn::Parse(found.Get(0, 7)).Context("reading replication slot {}", name));
  return slot;
}

Result<std::optional<SlotWal>> ReadSlotWal(Connection& connection, const std::string& name) {
  const int version = connection.server_version();
  TRY(const auto found,
      connection
          .Query(fmt::format(
              "SELECT coalesce({}, ''), coalesce({}, ''), coalesce(pg_wal_lsn_diff(wal_end, restart_lsn), 0)::bigint, "
              "{}, "
              "{}, wal_end FROM pg_replication_slots, (SELECT CASE WHEN pg_is_in_recovery() THEN "
              "pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) AS ends (wal_end) WHERE slot_name = {}",
              version >= 130000 ? "wal_status" : "NULL", version >= 170000 ? "invalidation_reason" : "NULL",
              version >= 130000 ? "safe_wal_size" : "NULL",
              version >= 130000 ? "(SELECT nullif(setting::bigint, -1) * 1048576 FROM pg_settings WHERE name = "
                                  "'max_slot_wal_keep_size')"
                                : "NULL",
              QuoteLiteral(name)))
          .Context("reading the WAL of replication slot {}", name));
  if (found.rows() == 0) return std::nullopt;
  const auto number = [&](int column) {
    int64_t value = 0;
    const std::string_view text = found.Get(0, column);
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  SlotWal wal{.wal_status = std::string(found.Get(0, 0)),
              .invalidation_reason = std::string(found.Get(0, 1)),
              .retained_bytes = number(2)};
  if (!found.IsNull(0, 3)) wal.safe_bytes = number(3);
  if (!found.IsNull(0, 4)) wal.limit_bytes = number(4);
  TRY(wal.wal_end, Lsn::Parse(found.Get(0, 5)));
  return wal;
}

Status CheckSlotName(const std::string& name) {
  const bool valid = !name.empty() && name.size() <= kSlotNameMax && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (valid) return {};
  return MakeError(ErrorKind::kInvalidConfig,
                   "'{}' can't name a replication slot; use 1 to {} of a-z, 0-9 and _ in source.slot", name,
                   kSlotNameMax);
}

Result<CreatedSlot> CreateSlot(Connection& connection, const std::string& name, bool temporary, bool failover) {
  TRY_VOID(CheckSlotName(name));
  TRY_VOID(BeforeStep(Failpoint::kSlotCreateBefore));
  const bool has_options = connection.server_version() >= 150000;
  bool has_failover = failover && !temporary && connection.server_version() >= 170000;
  if (has_failover) {
    // A standby's own slots are there on no other standby.
    TRY(const bool is_standby, IsInRecovery(connection));
    has_failover = !is_standby;
  }
  auto created = connection.Query(fmt::format("CREATE_REPLICATION_SLOT {} {}LOGICAL pgoutput {}", QuoteIdentifier(name),
                                              temporary ? "TEMPORARY " : "",
                                              has_failover  ? "(SNAPSHOT 'export', FAILOVER true)"
                                              : has_options ? "(SNAPSHOT 'export')"
                                                            : "EXPORT_SNAPSHOT"));
  if (!created.has_value()) {
    return ExplainCreateFailure(connection, std::move(created.error()))
        .WithContext(fmt::format("creating replication slot {}", name));
  }
  AfterStep(Failpoint::kSlotCreateAfter);
  // slot_name | consistent_point | snapshot_name | output_plugin
  if (created->rows() != 1 || created->columns() < 3) {
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "creating replication slot {}: {} rows of {} columns",
                     name, created->rows(), created->columns());
  }
  CreatedSlot slot{.snapshot_name = std::string(created->Get(0, 2))};
  TRY(slot.consistent_point, Lsn::Parse(created->Get(0, 1)).Context("creating replication slot {}", name));
  return slot;
}

Status CopySlot(Connection& connection, const std::string& source, const std::string& name) {
  TRY_VOID(CheckSlotName(name));
  auto copied = connection.Query(
      fmt::format("SELECT pg_copy_logical_replication_slot({}, {}, true)", QuoteLiteral(source), QuoteLiteral(name)));
  if (!copied.has_value()) return std::move(copied.error()).WithContext(fmt::format("copying slot {}", source));
  return {};
}

Result<Connection> OpenAtSnapshot(const ConnectionOptions& options, const std::string& snapshot_name) {
  ConnectionOptions query_options = options;
  query_options.replication = false;
  TRY(auto connection, Connection::Open(query_options));
  TRY_VOID(
      connection.Query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").Context("starting to read at a snapshot"));
  if (!snapshot_name.empty()) {
    auto taken = connection.Query("SET TRANSACTION SNAPSHOT " + QuoteLiteral(snapshot_name));
    if (!taken.has_value()) {
      // The name stops being valid with the connection that exported it: the copy starts again with a new snapshot.
      return Error(ErrorKind::kTransient,
                   fmt::format("taking over snapshot {}: {}; the connection that exported it may have broken",
                               snapshot_name, taken.error().message()),
                   ErrorOrigin::kSource, taken.error().native_code());
    }
  }
  return connection;
}

Status DropSlot(Connection& connection, const std::string& name) {
  auto dropped = connection.Query(fmt::format("SELECT pg_drop_replication_slot({})", QuoteLiteral(name)));
  if (dropped.has_value() || dropped.error().kind() == ErrorKind::kNotFound) return {};
  return std::move(dropped.error()).WithContext(fmt::format("dropping replication slot {}", name));
}

}  // namespace firn::postgres
