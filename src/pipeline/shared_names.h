// Source tables that go by one name in Iceberg, as tables of two schemas do under a fixed namespace: one of them has
// the Iceberg table, and the others wait until the configuration, or their own names, tell them apart.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "catalog/catalog.h"
#include "model/source_table.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

struct SharedName {
  iceberg::TableIdent ident;
  std::vector<const SourceTable*> tables;  ///< Two or more, by name.
};

/// Pure. They point into `tables`.
std::vector<SharedName> FindSharedNames(const std::vector<SourceTable>& tables, const TargetNaming& naming);

/// What is wrong with table `other`, and what can be done about it.
Error NameProblem(const iceberg::TableIdent& ident, const TableName& owner, const TableName& other);

/// Of `tables`, those that can't have the Iceberg table of their name, each with why. It is that of the table which it
/// was made for; else of one that is being copied (`is_copied`), else of the first by name.
Result<std::map<TableOid, Error>> FindNameProblems(catalog::Catalog& catalog, const std::vector<SourceTable>& tables,
                                                   const TargetNaming& naming,
                                                   const std::function<bool(TableOid)>& is_copied);

}  // namespace firn::pipeline
