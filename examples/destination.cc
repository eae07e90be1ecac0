// An application that writes its own data into Iceberg through the library: a table that mirrors its users, with an
// initial load and then changes; a log of visits; and a history, which keeps every balance that a user has had.
//
//   firn_example_destination /tmp/lake
//   python -c "from pyiceberg.catalog.sql import SqlCatalog
//   print(SqlCatalog('firn', uri='sqlite:////tmp/lake/catalog.db').load_table('app.users').scan().to_arrow())"

#include <firn/destination.h>

#include <cstdio>
#include <string>
#include <vector>

namespace {

firn::Status WriteExample(const std::string& warehouse) {
  auto opened =
      firn::Destination::Open({.catalog_uri = "sqlite://" + warehouse + "/catalog.db", .warehouse = warehouse});
  if (!opened) return std::unexpected(opened.error());
  firn::Destination& destination = **opened;

  const firn::TableId users{"app", "users"};
  const firn::TableId visits{"app", "visits"};
  const firn::TableId balances{"app", "balances"};
  if (auto status = destination.DefineTable({.id = users,
                                             .columns = {{"id", firn::ColumnType::kLong},
                                                         {"name", firn::ColumnType::kString},
                                                         {"balance", firn::ColumnType::kDecimal, 12, 2}},
                                             .key = {"id"}});
      !status) {
    return status;
  }
  if (auto status = destination.DefineTable(
          {.id = visits, .columns = {{"user_id", firn::ColumnType::kLong}, {"at", firn::ColumnType::kTimestampTz}}});
      !status) {
    return status;
  }

  if (auto status = destination.DefineTable(
          {.id = balances,
           .columns = {{"user_id", firn::ColumnType::kLong}, {"balance", firn::ColumnType::kDecimal, 12, 2}},
           .key = {"user_id"},
           .mode = firn::ChangeMode::kHistory});
      !status) {
    return status;
  }

  // A second start goes on where the first ended: the position is committed with the rows.
  const auto position = destination.Position(users);
  if (!position) return std::unexpected(position.error());
  if (!*position) {
    const std::vector<firn::Row> rows = {{int64_t{1}, "Ada", "10.50"}, {int64_t{2}, "Grace", "0.00"}};
    if (auto status = destination.WriteTableRows(users, rows); !status) return status;
  }
  const uint64_t next = position->value_or(0) + 1;
  const int64_t new_user = 100 + static_cast<int64_t>(next);
  const std::vector<firn::Event> events = {
      {.kind = firn::EventKind::kInsert, .table = users, .row = {new_user, "user " + std::to_string(new_user), "1.00"}},
      {.kind = firn::EventKind::kUpdate, .table = users, .row = {int64_t{1}, "Ada", std::to_string(next) + ".00"}},
      {.kind = firn::EventKind::kInsert, .table = visits, .row = {int64_t{1}, int64_t{1'700'000'000'000'000}}},
      {.kind = *position ? firn::EventKind::kUpdate : firn::EventKind::kInsert,
       .table = balances,
       .row = {int64_t{1}, std::to_string(next) + ".00"},
       .committed_at_us = static_cast<int64_t>(next) * 1'000'000},
  };
  return destination.WriteEvents(events, next);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s WAREHOUSE_FOLDER\n", argv[0]);
    return 2;
  }
  const firn::Status status = WriteExample(argv[1]);
  if (status) return 0;
  std::fprintf(stderr, "%s\n", status.error().message().c_str());
  return 1;
}
