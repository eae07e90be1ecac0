#include "postgres/table_copy_reader.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "postgres/byte_reader.h"
#include "postgres/replication_slot.h"

namespace firn::postgres {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
/// Flag bits 16 to 31 change the format in ways that a reader must know (PostgreSQL: COPY, "File Header").
constexpr uint32_t kCriticalFlags = 0xFFFF0000;
constexpr int kFirstVersionWithTidRangeScan = 140000;
/// How often a wait for the server looks at the stop token.
constexpr int kStopPollMs = 200;

}  // namespace

bool HasTidRangeScan(int server_version) { return server_version >= kFirstVersionWithTidRangeScan; }

std::string CopySql(const CopyRequest& request, bool partitioned) {
  const std::string table = QuoteIdentifier(request.table.schema) + "." + QuoteIdentifier(request.table.name);
  std::string columns;
  for (const std::string& column : request.columns) columns += (columns.empty() ? "" : ", ") + column;
  std::string where;
  if (request.blocks && !partitioned) {
    const auto& [first, last] = *request.blocks;
    if (first > 0) where = fmt::format(" WHERE ctid >= '({},0)'::tid", first);
    if (last) where += fmt::format(" {} ctid < '({},0)'::tid", where.empty() ? "WHERE" : "AND", *last);
  }
  if (!request.condition.empty()) where = " WHERE " + request.condition;
  return fmt::format("COPY (SELECT {} FROM {}{}{}) TO STDOUT (FORMAT binary)", columns.empty() ? "NULL" : columns,
                     partitioned ? "" : "ONLY ", table, where);
}

Result<size_t> ParseCopyHeader(std::string_view data) {
  if (!data.starts_with(kSignature)) {
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource,
                     "COPY data does not begin with the binary format's signature");
  }
  ByteReader reader(data);
  reader.Bytes(kSignature.size());
  const uint32_t flags = reader.Uint32();
  reader.Bytes(reader.Int32());  // the extension area, for readers that know what is in it
  if (!reader.ok()) {
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "COPY header ends at byte {}, too early", data.size());
  }
  if ((flags & kCriticalFlags) != 0) {
    return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kSource,
                     "COPY header has the flags 0x{:08x}, unknown to firn", flags);
  }
  return reader.offset();
}

Result<bool> ParseCopyRow(std::string_view row, std::vector<WireValue>& values) {
  ByteReader reader(row);
  const int16_t count = reader.Int16();
  if (count == -1 && reader.remaining() == 0) return false;
  if (count < 0) [[unlikely]] {
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "COPY row, byte 0: {} columns", count);
  }
  values.resize(static_cast<size_t>(count));
  for (WireValue& value : values) {
    const int32_t size = reader.Int32();
    if (size == -1) {
      value = {};
      continue;
    }
    const std::string_view bytes = reader.Bytes(size);
    value = {.data = bytes.data(), .size = size, .format = WireFormat::kBinary};
    if (!reader.ok()) break;
  }
  if (!reader.ok() || reader.remaining() != 0) [[unlikely]] {
    values.clear();
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "COPY row, byte {} of {}: {}", reader.offset(),
                     row.size(), reader.ok() ? "more bytes than its columns have" : "ends inside a value");
  }
  return true;
}

namespace {

class LibpqTableCopyReader final : public TableCopyReader {
 public:
  LibpqTableCopyReader(Connection connection, std::stop_token stop)
      : connection_(std::move(connection)), stop_(std::move(stop)) {}

  Status Start(const CopyRequest& request) override {
    if (copying_) return MakeError(ErrorKind::kInternal, "a part was started before the one before had ended");
    table_ = request.table;
    TRY(const auto relation,
        connection_
            .Query(fmt::format("SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                               "WHERE n.nspname = {} AND c.relname = {}",
                               QuoteLiteral(table_.schema), QuoteLiteral(table_.name)))
            .Context("copying table {}", table_));
    if (relation.rows() == 0) {
      return MakeError(ErrorKind::kTableNotFound, ErrorOrigin::kSource,
                       "copying table {}: it does not exist at the source", table_);
    }
    const std::string sql = CopySql(request, relation.Get(0, 0) == "p");
    // Asynchronous from the first: a table locked by an ALTER TABLE can make the server wait for long.
    if (PQsendQuery(raw(), sql.c_str()) == 0) return connection_.LastError(fmt::format("copying table {}", table_));
    while (PQisBusy(raw()) != 0) TRY_VOID(Receive());
    const std::unique_ptr<PGresult, decltype(&PQclear)> started(PQgetResult(raw()), PQclear);
    if (PQresultStatus(started.get()) != PGRES_COPY_OUT) return Explain(started.get());
    copying_ = true;
    header_seen_ = false;
    return {};
  }

  Result<std::span<const WireValue>> Next() override {
    while (copying_) {
      char* data = nullptr;
      row_.reset();  // First, for the sake of large ones.
      const int size = PQgetCopyData(raw(), &data, /*async=*/1);
      row_.reset(data);
      if (size > 0) [[likely]] {
        std::string_view row(data, static_cast<size_t>(size));
        bytes_received_ += size;
        if (!header_seen_) [[unlikely]] {
          TRY(const size_t header_size, ParseCopyHeader(row).Context("copying table {}", table_));
          header_seen_ = true;
          row.remove_prefix(header_size);
          if (row.empty()) continue;
        }
        TRY(const bool is_row, ParseCopyRow(row, values_).Context("copying table {}", table_));
        if (is_row) return std::span<const WireValue>(values_);
      } else if (size == 0) {
        TRY_VOID(Receive());
      } else {
        TRY_VOID(Finish());
      }
    }
    return std::span<const WireValue>();
  }

  int64_t bytes_received() const override { return bytes_received_; }

 private:
  struct FreeRow {
    void operator()(char* row) const { PQfreemem(row); }
  };

  pg_conn* raw() const { return connection_.raw(); }

  /// Waits until the socket has something and takes it in.
  Status Receive() {
    while (true) {
      if (stop_.stop_requested()) return MakeError(ErrorKind::kCancelled, "copying table {}: stopped", table_);
      pollfd socket{.fd = PQsocket(raw()), .events = POLLIN, .revents = 0};
      if (poll(&socket, 1, stop_.stop_possible() ? kStopPollMs : -1) > 0) break;
    }
    if (PQconsumeInput(raw()) == 0) return connection_.LastError(fmt::format("copying table {}", table_));
    return {};
  }

  /// After the last row: the command's result, which is where an error in the middle of COPY shows.
  Status Finish() {
    copying_ = false;
    Status status;
    while (true) {
      while (PQisBusy(raw()) != 0) TRY_VOID(Receive());
      const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(raw()), PQclear);
      if (result == nullptr) return status;
      if (PQresultStatus(result.get()) != PGRES_COMMAND_OK && status.has_value()) status = Explain(result.get());
    }
  }

  Error Explain(const PGresult* result) const {
    Error error = connection_.ErrorOf(result);
    const std::string context = fmt::format("copying table {}", table_);
    if (error.native_code() != "42501") return std::move(error).WithContext(context);
    const std::string role = QuoteIdentifier(connection_.user());
    return Error(error.kind(),
                 fmt::format("{}: {}; GRANT USAGE ON SCHEMA {} TO {}; GRANT SELECT ON {}.{} TO {}; and where row-level "
                             "security hides rows: ALTER ROLE {} BYPASSRLS",
                             context, error.message(), QuoteIdentifier(table_.schema), role,
                             QuoteIdentifier(table_.schema), QuoteIdentifier(table_.name), role, role),
                 error.origin(), error.native_code());
  }

  Connection connection_;
  const std::stop_token stop_;
  TableName table_;
  bool copying_ = false;
  bool header_seen_ = false;
  int64_t bytes_received_ = 0;
  std::unique_ptr<char, FreeRow> row_;
  std::vector<WireValue> values_;
};

}  // namespace

Result<std::unique_ptr<TableCopyReader>> TableCopyReader::Open(const ConnectionOptions& options,
                                                               const std::string& snapshot_name, std::stop_token stop) {
  TRY(auto connection, OpenAtSnapshot(options, snapshot_name));
  return std::make_unique<LibpqTableCopyReader>(std::move(connection), std::move(stop));
}

}  // namespace firn::postgres
