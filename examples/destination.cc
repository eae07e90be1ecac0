// An application that writes its own data into Iceberg through the library: two tables, an initial load, then changes.
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
