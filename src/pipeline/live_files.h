// A table's live data files and which of their rows are deleted by place: as committed, and by the commit in the
// making.
//
//   MarkDeleted(file, row) ──► marked ──┐                             v2: a position delete file for each data file
//   delete files of the snapshot ───────┴──► MakeDelta: merged into ──┤
//                                                                     v3: its vector, in a Puffin file of its own
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "firn/result.h"
#include "iceberg/deleted_rows.h"
#include "iceberg/position_deletes.h"
#include "iceberg/row_delta.h"
#include "iceberg/table_files.h"
#include "storage/file_store.h"

namespace firn::pipeline {

/// Single-threaded.
class LiveFiles {
 public:
  explicit LiveFiles(storage::FileStore& store) : store_(store) {}

  /// The files of the table's current snapshot.
  Status Load(iceberg::TableMetadataPtr metadata, iceberg::ManifestCache& manifests);
  /// Without them: for tables whose committed rows are deleted by key alone.
  void LoadNothing();
  bool loaded() const { return loaded_; }
  /// Another writer committed: Load again before the next use.
  void Forget() { loaded_ = false; }

  /// Locations of the committed files, in order: those of a partition, which share delete files, come together.
  std::vector<std::string> Locations() const;
  /// Those that the commit in the making adds, in the order in which they began. All of them are closed.
  std::vector<iceberg::DataFile> AddedFiles() const;
  /// A live file, which must be closed.
  const iceberg::DataFile& File(const std::string& location) const { return entries_.at(location).file; }
  /// The rows of a file that are deleted, by place or by equality deletes, the commit in the making included.
  Result<iceberg::RowPositions> Deleted(const std::string& location);

  /// A file that the commit in the making adds; `Close` when its rows are known.
  void Add(const std::string& location);
  void Close(iceberg::DataFile file);
  /// kConflict when the file is not live: another writer rewrote the table.
  Status MarkDeleted(const std::string& location, uint64_t row);
  /// Every file goes, those that the commit in the making added too (they are removed from the store).
  void Truncate();

  /// Writes the deletes of each data file of which rows were marked, merged with those that it has, in the form of the
  /// table's format version; a data file without any row left goes instead. `name` gives the location of the next file
  /// with this ending.
  Result<iceberg::RowDelta> MakeDelta(int32_t format_version,
                                      const std::function<std::string(std::string_view ending)>& name,
                                      iceberg::Compression compression);
  /// kConflict when another writer has removed or deleted from a file of the delta that MakeDelta gave: its rows lie
  /// elsewhere now, or its deletes would be lost.
  Status CheckStillLive(const iceberg::TableMetadata& fresh, iceberg::ManifestCache& manifests) const;
  /// The delta that MakeDelta gave is committed.
  void Committed();

 private:
  struct Entry {
    iceberg::DataFile file;
    std::vector<iceberg::DataFile> delete_files;  ///< By place. One, where firn wrote it.
    int64_t newest_equality_delete = 0;           ///< Sequence number of the newest that applies; 0: none does.
    /// Only where equality deletes apply. What they remove is not in `deleted`: it needs no delete by place as well.
    std::shared_ptr<const iceberg::LiveDataFile> by_equality;
    std::optional<iceberg::RowPositions> deleted;  ///< By place, committed; read when first needed.
    iceberg::RowPositions marked;                  ///< By the commit in the making; looked at only when has_marks.
    bool has_marks = false;                        ///< (Roaring64Map::isEmpty copies what it looks at.)
    std::optional<iceberg::DataFile> next_delete_file;
    bool added = false;    ///< By the commit in the making.
    bool emptied = false;  ///< MakeDelta left it out or removes it.
  };
  Status ReadDeleted(Entry& entry);

  storage::FileStore& store_;
  iceberg::TableMetadataPtr metadata_;                    ///< What was loaded.
  std::optional<iceberg::DeletedRows> equality_deletes_;  ///< While an index is built.
  bool loaded_ = false;
  std::unordered_map<std::string, Entry> entries_;  ///< By location.
  std::vector<std::string> touched_;                ///< Locations that were added or marked, in order.
};

}  // namespace firn::pipeline
