// The change mode of an Iceberg table: kept in its properties, as most modes can't follow another
// (docs/change_modes.md). Pure.
#pragma once

#include <string_view>

#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

// A table property (docs/snapshot_summary.md).
inline constexpr char kChangeModeProperty[] = "firn.cdc.mode";  ///< "mirror" where there is none.

/// As the property has it: "soft-delete".
std::string_view ToString(ChangeMode mode);

/// Whether a row of the source has at most one row of the table. Else its columns are all optional, and it has no
/// identifier fields.
inline bool KeepsKeysUnique(ChangeMode mode) { return mode == ChangeMode::kMirror || mode == ChangeMode::kSoftDelete; }

/// kInvalidConfig for a table that has been written in a mode which `mode` can't follow.
Status CheckMode(const iceberg::TableMetadata& metadata, ChangeMode mode);

/// The property, where the table lacks it.
iceberg::Properties ChangeModeProperties(const iceberg::TableMetadata& metadata, ChangeMode mode);

}  // namespace firn::pipeline
