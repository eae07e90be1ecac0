#include "cli/catalog_credentials.h"

#include <utility>

#include "storage/aws_credentials.h"

namespace firn::cli {

std::function<Result<http::AwsCredentials>()> CatalogAwsCredentials(const config::Config& config) {
  const auto option = [&](const std::string& key) {
    const auto found = config.catalog.options.find(key);
    return found == config.catalog.options.end() ? std::string() : found->second;
  };
  const http::AwsCredentials keys{.access_key_id = option("access_key_id"),
                                  .secret_access_key = option("secret_access_key"),
                                  .session_token = option("session_token")};
  if (!keys.access_key_id.empty()) return [keys]() -> Result<http::AwsCredentials> { return keys; };
  return [chain = storage::AwsCredentialChain()]() -> Result<http::AwsCredentials> {
    auto found = chain();
    if (!found.has_value()) {
      return Error(found.error().kind(),
                   fmt::format("credentials of the catalog: {}; or set catalog.access_key_id and "
                               "catalog.secret_access_key",
                               found.error().message()),
                   ErrorOrigin::kCatalog);
    }
    return http::AwsCredentials{.access_key_id = std::move(found->access_key_id),
                                .secret_access_key = std::move(found->secret_access_key),
                                .session_token = std::move(found->session_token)};
  };
}

}  // namespace firn::cli
