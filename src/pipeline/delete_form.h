// How a table's rows are deleted: what of it its settings may ask for, and what its metadata must hold for that.
#pragma once

#include <stop_token>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "iceberg/table_update.h"
#include "observe/metrics.h"
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

/// Commits them, whatever else is committed to the table at the same time. Errors as of catalog::CommitMetadata; those
/// of CheckOnlyWriter, and kConflict where another writer has changed the table's schema or partitions meanwhile.
Status AdoptDeleteForm(catalog::Catalog& catalog, const TableSettings& settings, catalog::LoadedTable& table,
                       const RetryPolicy& retry = {}, std::stop_token stop = {}, Metrics* metrics = nullptr);

}  // namespace firn::pipeline
