#include "lake/catalog_credentials.h"

#include "storage/aws_credentials.h"

namespace firn::lake {

std::function<Result<AwsCredentials>()> CatalogAwsCredentials(const config::Config& config) {
  const auto option = [&](const std::string& key) { return config.catalog.Option(key); };
  const AwsCredentials keys{.access_key_id = option("access_key_id"),
                            .secret_access_key = option("secret_access_key"),
                            .session_token = option("session_token")};
  if (!keys.access_key_id.empty()) return [keys]() -> Result<AwsCredentials> { return keys; };
  return [chain = storage::AwsCredentialChain()]() -> Result<AwsCredentials> {
    auto found = chain();
    if (found.has_value()) return found;
    return Error(found.error().kind(),
                 fmt::format("credentials of the catalog: {}; or set catalog.access_key_id and "
                             "catalog.secret_access_key",
                             found.error().message()),
                 ErrorOrigin::kCatalog);
  };
}

}  // namespace firn::lake
