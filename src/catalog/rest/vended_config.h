// What a REST catalog vends with a table, in firn's own words for a store. Pure.
//
// Source: REST OpenAPI, LoadTableResult ("config", "storage-credentials"), and the property names of Iceberg's FileIOs.
#pragma once

#include <vector>

#include "catalog/rest/rest_json.h"
#include "storage/vended_settings.h"

namespace firn::catalog::rest {

/// One for each of `credentials`, its own words over those of `config`; where there are none, one for all prefixes of
/// what `config` says. Without what says nothing of a store.
std::vector<storage::VendedSettings> ToVendedSettings(const Settings& config,
                                                      const std::vector<StorageCredential>& credentials);

}  // namespace firn::catalog::rest
