// How a table's rows are deleted: what of it its settings may ask for, and what its metadata must hold for that.
#pragma once

#include <vector>

#include "catalog/catalog.h"
#include "iceberg/table_update.h"
#include "pipeline/table_layout.h"
#include "pipeline/table_settings.h"

namespace firn::pipeline {

/// kInvalidConfig, with the remedy, for a table whose rows can't be deleted in the form of the layout.
Status CheckDeleteForm(const TableLayout& layout);

/// kInvalidConfig for a table of a later format version than the settings': versions don't go back.
Status CheckFormatVersion(const iceberg::TableMetadata& metadata, const TableSettings& settings);

/// What the settings ask for and the metadata lacks: a later format version, and a partition spec for equality deletes
/// of the whole table. None is the usual case.
std::vector<iceberg::Update> DeleteFormUpdates(const iceberg::TableMetadata& metadata, const TableSettings& settings);

/// Commits them. kConflict when somebody else changed the table at the same time.
Status AdoptDeleteForm(catalog::Catalog& catalog, const TableSettings& settings, catalog::LoadedTable& table);

}  // namespace firn::pipeline
