// The JSON form of schemas, partition specs and sort orders (spec: Appendix C), as table metadata, the metadata of
// manifests and REST catalogs hold it. Readers give kCorrupt naming the member; kUnsupported for what firn doesn't
// know.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "firn/result.h"
#include "iceberg/schema.h"

namespace firn::iceberg {

nlohmann::ordered_json TypeToJson(const Type& type);
Result<Type> TypeFromJson(const nlohmann::ordered_json& json);

nlohmann::ordered_json SchemaToJson(const Schema& schema);
Result<Schema> SchemaFromJson(const nlohmann::ordered_json& json);

nlohmann::ordered_json PartitionFieldsToJson(const PartitionSpec& spec);  ///< The array of fields alone.
nlohmann::ordered_json PartitionSpecToJson(const PartitionSpec& spec);
Result<PartitionSpec> PartitionSpecFromJson(const nlohmann::ordered_json& json);

nlohmann::ordered_json SortOrderToJson(const SortOrder& order);
Result<SortOrder> SortOrderFromJson(const nlohmann::ordered_json& json);

}  // namespace firn::iceberg
