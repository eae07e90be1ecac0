#include "lake/rest_catalog_options.h"

#include <charconv>

#include "lake/catalog_credentials.h"

namespace firn::lake {

catalog::RestCatalogOptions RestCatalogOptionsOf(const config::Config& config) {
  const auto option = [&](const std::string& key) { return config.catalog.Option(key); };
  catalog::RestCatalogOptions options{.warehouse = config.catalog.warehouse, .prefix = option("prefix")};
  // The configuration has made a path of it.
  if (options.warehouse.starts_with('/')) options.warehouse.insert(0, "file://");

  catalog::rest::RestSessionOptions& session = options.session;
  session.uri = config.catalog.uri;
  session.headers = config.catalog.headers;
  session.http.user_agent = "firn/" FIRN_VERSION;
  session.http.ca_file = option("ca_file");
  if (const std::string text = option("request_timeout_ms"); !text.empty()) {
    int64_t ms = 0;
    std::from_chars(text.data(), text.data() + text.size(), ms);
    session.http.request_timeout = std::chrono::milliseconds(ms);
  }

  catalog::rest::RestAuthOptions& auth = session.auth;
  auth.credential = option("credential");
  auth.token = option("token");
  auth.oauth2_server_uri = option("oauth2_server_uri");
  if (const std::string scope = option("scope"); !scope.empty()) auth.scope = scope;
  for (const char* key : {"audience", "resource"}) {
    if (const std::string value = option(key); !value.empty()) auth.oauth2_parameters[key] = value;
  }
  if (!option("sigv4.region").empty()) {
    auth.signature = {.region = option("sigv4.region"), .service = option("sigv4.service")};
  }
  auth.aws_credentials = CatalogAwsCredentials(config);
  return options;
}

}  // namespace firn::lake
