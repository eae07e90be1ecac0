// What the configuration says of a REST catalog, in the catalog's words.
#pragma once

#include "catalog/rest/rest_catalog.h"
#include "config/config.h"

namespace firn::lake {

catalog::RestCatalogOptions RestCatalogOptionsOf(const config::Config& config);

}  // namespace firn::lake
