// The table of catalogs' tests where it doesn't matter which: shop.orders, of one column.
#pragma once

#include <string>

#include "catalog/catalog.h"
#include "testing/results.h"

namespace firn::testing {

inline const iceberg::TableIdent kOrders{{"shop"}, "orders"};

inline iceberg::NewTable SomeTable() {
  iceberg::NewTable table;
  table.schema.fields = {{.id = 1, .name = "id", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}};
  return table;
}

inline catalog::LoadedTable MakeOrders(catalog::Catalog& catalog) {
  Do(catalog.EnsureNamespace(kOrders.namespace_levels));
  return Value(catalog.CreateTable(kOrders, SomeTable()));
}

/// Asks for nothing, so that it conflicts with nothing but what comes in between.
inline iceberg::CommitRequest SetProperty(const iceberg::TableIdent& ident, const std::string& key,
                                          const std::string& value) {
  return {.table = ident, .updates = {iceberg::SetProperties{{{key, value}}}}};
}

}  // namespace firn::testing
