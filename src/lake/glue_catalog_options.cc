#include "lake/glue_catalog_options.h"

#include "lake/catalog_credentials.h"

namespace firn::lake {

catalog::GlueCatalogOptions GlueCatalogOptionsOf(const config::Config& config) {
  const auto option = [&](const std::string& key) { return config.catalog.Option(key); };
  return {.client = {.region = option("region"),
                     .endpoint = option("endpoint"),
                     .catalog_id = option("catalog_id"),
                     .credentials = CatalogAwsCredentials(config),
                     .http = {.user_agent = "firn/" FIRN_VERSION}},
          .warehouse = config.catalog.warehouse};
}

}  // namespace firn::lake
