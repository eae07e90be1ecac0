// A table as Glue keeps it: a pointer to its metadata file, and columns for people and engines that only look. Pure.
//
//   Parameters          table_type = ICEBERG, metadata_location, previous_metadata_location, and what others put there
//   StorageDescriptor   the location, and the columns of all schemas with Hive's types; firn never reads it back
//
// As Java's GlueCatalog and PyIceberg's write it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "firn/result.h"
#include "iceberg/table_metadata.h"

namespace firn::catalog {

/// Hive's name of a type: "bigint", "array<struct<a:int>>".
std::string GlueTypeName(const iceberg::Type& type);

/// TableInput for CreateTable and UpdateTable. `existing` is the Table that GetTable gave (null for a new one), whose
/// description, owner, comments and other parameters stay.
nlohmann::json MakeTableInput(const std::string& name, const iceberg::TableMetadata& metadata,
                              const std::string& metadata_location, const nlohmann::json& existing);

/// TableInput that makes an entry like `existing` under another name.
nlohmann::json RenamedTableInput(const std::string& name, const nlohmann::json& existing);

/// The metadata location in a Table that GetTable gave; nothing where it is no Iceberg table.
std::optional<std::string> MetadataLocationOf(const nlohmann::json& table);

}  // namespace firn::catalog
