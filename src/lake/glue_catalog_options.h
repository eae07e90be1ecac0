// What the configuration says of a Glue catalog, in the catalog's words.
#pragma once

#include "catalog/glue/glue_catalog.h"
#include "config/config.h"

namespace firn::lake {

catalog::GlueCatalogOptions GlueCatalogOptionsOf(const config::Config& config);

}  // namespace firn::lake
