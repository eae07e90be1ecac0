// A table that may not be there.
#pragma once

#include <optional>

#include "catalog/catalog.h"

namespace firn::catalog {

/// The table; nothing where the catalog has no table, or no namespace, of that name. A table whose metadata file is
/// gone is there, and an error (kNotFound of the storage), as are all others of LoadTable.
Result<std::optional<LoadedTable>> FindTable(Catalog& catalog, const iceberg::TableIdent& ident);

}  // namespace firn::catalog
