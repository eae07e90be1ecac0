// Data files exchanged for others with the same rows, beside the stream: made on another thread, committed by the one
// that commits the table, between two of its commits.
//
//   maintenance: files written ──TableRewrite──► Take ──► replicator ──FlushJob──► BatchCommitter, TableWriter
//        ▲                                                                              │
//        └──────────────────────────────── Ended ◄──────────────────────────────────────┘
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "catalog/commit_loop.h"
#include "firn/result.h"
#include "iceberg/table_files.h"

namespace firn::pipeline {

/// One exchange. When it goes without Ended, nobody has tried to commit it.
class TableRewrite {
 public:
  virtual ~TableRewrite() = default;
  virtual const iceberg::TableIdent& table() const = 0;
  /// The change that exchanges the files in a replace snapshot of this commit id, whatever was deleted from them since;
  /// a kConflict when one of the old files has left the table. It looks into this and into `manifests`.
  virtual catalog::TableChange MakeChange(catalog::LoadedTable base, iceberg::ManifestCache& manifests,
                                          const std::string& commit_id) = 0;
  /// What became of it. Called at most once, on the committing thread.
  virtual void Ended(Result<catalog::LoadedTable> committed) = 0;
};

/// Who makes rewrites. Thread-safe.
class TableRewriter {
 public:
  struct Table {
    iceberg::TableIdent ident;
    std::string name;  ///< Of the source's table, for metrics.
  };

  virtual ~TableRewriter() = default;
  /// The tables that are streamed from now on: rewrites of others would find nobody to commit them.
  virtual void Streams(std::vector<Table> tables) = 0;
  /// Tables as the stream has just committed them. Does not wait.
  virtual void Committed(std::span<const catalog::LoadedTable> tables) = 0;
  /// A rewrite that is ready, if there is one. Does not wait.
  virtual std::unique_ptr<TableRewrite> Take() = 0;
};

}  // namespace firn::pipeline
