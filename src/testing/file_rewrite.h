// Rewrites of data files as maintenance makes them, for tests of who commits them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/try.h"
#include "base/uuid.h"
#include "catalog/catalog.h"
#include "maintenance/file_rewriter.h"
#include "pipeline/batch_committer.h"
#include "pipeline/table_rewrite.h"

namespace firn::testing {

class FileRewrite : public pipeline::TableRewrite {
 public:
  /// Writes the rows of the data files that `wants` chooses to others, as the table is now. Nothing where it chooses
  /// none.
  static Result<std::unique_ptr<FileRewrite>> Make(
      catalog::Catalog& catalog, storage::FileStore& store, Metrics& metrics, const iceberg::TableIdent& ident,
      const std::function<bool(const iceberg::DataFile&)>& wants = [](const auto&) { return true; }) {
    TRY(const catalog::LoadedTable table, catalog.LoadTable(ident));
    iceberg::ManifestCache manifests;
    TRY(auto files, iceberg::PlanFiles(store, *table.metadata, table.metadata->CurrentSnapshot(), manifests));
    std::erase_if(files, [&](const iceberg::LiveDataFile& file) { return !wants(file.entry.file); });
    if (files.empty()) return std::unique_ptr<FileRewrite>();
    std::unique_ptr<FileRewrite> rewrite(new FileRewrite(store, ident));
    TRY(rewrite->files_, maintenance::RewriteFiles(store, metrics, table.metadata, std::move(files), {}, "t", {}));
    return rewrite;
  }

  const iceberg::TableIdent& table() const override { return ident_; }
  catalog::TableChange MakeChange(catalog::LoadedTable base, iceberg::ManifestCache& manifests,
                                  const std::string& commit_id) override {
    return maintenance::MakeRewriteChange(store_, manifests, std::move(base), files_, iceberg::Compression::kZstd,
                                          commit_id);
  }
  void Ended(Result<catalog::LoadedTable> committed) override {
    if (on_ended) on_ended(std::move(committed));
  }

  /// As the thread that commits the table does it. Whether it came in.
  static Result<bool> Commit(std::unique_ptr<FileRewrite> rewrite, pipeline::BatchCommitter& committer,
                             pipeline::TableWriter& writer) {
    bool is_in = false;
    rewrite->on_ended = [&](const Result<catalog::LoadedTable>& committed) { is_in = committed.has_value(); };
    pipeline::FlushJob job{.rewrite = {{.writer = &writer, .files = std::move(rewrite)}}};
    TRY_VOID(committer.Do(job, {}));
    return is_in;
  }

  /// As another process does it.
  Status CommitElsewhere(catalog::Catalog& catalog) {
    TRY(catalog::LoadedTable base, catalog.LoadTable(ident_));
    iceberg::ManifestCache manifests;
    const std::string commit_id = NewUuid();
    const auto change = MakeChange(std::move(base), manifests, commit_id);
    TRY_VOID(catalog::CommitChanges(catalog, std::span(&change, 1), commit_id, Lsn{}, {}, {}));
    return {};
  }

  std::function<void(Result<catalog::LoadedTable>)> on_ended;

 private:
  FileRewrite(storage::FileStore& store, iceberg::TableIdent ident) : store_(store), ident_(std::move(ident)) {}

  storage::FileStore& store_;
  const iceberg::TableIdent ident_;
  maintenance::RewrittenFiles files_;
};

}  // namespace firn::testing
