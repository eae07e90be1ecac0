#include "catalog/find_table.h"

#include <utility>

namespace firn::catalog {

Result<std::optional<LoadedTable>> FindTable(Catalog& catalog, const iceberg::TableIdent& ident) {
  auto table = catalog.LoadTable(ident);
  if (table) return std::optional(*std::move(table));
  const Error& error = table.error();
  const bool is_missing = error.kind() == ErrorKind::kTableNotFound ||
                          (error.kind() == ErrorKind::kNotFound && error.origin() != ErrorOrigin::kStorage);
  return is_missing ? Result<std::optional<LoadedTable>>(std::nullopt) : error;
}

}  // namespace firn::catalog
