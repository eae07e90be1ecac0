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
#include <unordered_set>
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
  /// Position delete files of `small_deletes` rows are merged at every commit, of `files_at_once` data files at the
  /// same time.
  LiveFiles(storage::FileStore& store, uint64_t small_deletes, int files_at_once)
      : store_(store), small_deletes_(small_deletes), files_at_once_(files_at_once) {}

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

  /// Writes the deletes of each data file of which rows were marked, in the form of the table's format version: a
  /// vector with all of the data file's, or a position delete file with the smaller ones of its delete files merged in,
  /// so that it has few and a commit doesn't write all of them again. A data file without any row left goes instead.
  /// `name` gives the location of the next file with this ending.
  Result<iceberg::RowDelta> MakeDelta(int32_t format_version,
                                      const std::function<std::string(std::string_view ending)>& name,
                                      iceberg::Compression compression);
  /// kConflict when another writer has removed or deleted from a file of the delta that MakeDelta gave: its rows lie
  /// elsewhere now, or its deletes would be lost.
  Status CheckStillLive(const iceberg::TableMetadata& fresh, iceberg::ManifestCache& manifests) const;
  /// The delta that MakeDelta gave is committed.
  void Committed();

 private:
  /// Positions that are deleted from one data file.
  struct DeleteFile {
    iceberg::DataFile file;
    std::optional<iceberg::RowPositions> positions;  ///< Those of the data file; read when first needed.
  };
  struct Entry {
    iceberg::DataFile file;
    std::vector<DeleteFile> delete_files;  ///< By place.
    int64_t newest_equality_delete = 0;    ///< Sequence number of the newest that applies; 0: none does.
    /// Only where equality deletes apply. What they remove needs no delete by place as well.
    std::shared_ptr<const iceberg::LiveDataFile> by_equality;
    iceberg::RowPositions marked;           ///< By the commit in the making; looked at only when has_marks.
    bool has_marks = false;                 ///< (Roaring64Map::isEmpty copies what it looks at.)
    std::optional<DeleteFile> next_delete;  ///< MakeDelta wrote it; it takes the place of those in `replaced`.
    std::unordered_set<std::string> replaced;
    bool added = false;    ///< By the commit in the making.
    bool emptied = false;  ///< MakeDelta left it out or removes it.
  };
  static bool HasSameDeletes(const Entry& entry, const iceberg::LiveDataFile& live);
  Status Read(const Entry& entry, DeleteFile& deletes);
  /// By place, committed or marked.
  Result<iceberg::RowPositions> DeletedByPlace(Entry& entry);
  Result<bool> IsEmptied(Entry& entry);
  /// The next delete file's positions: those that are marked, and those of delete files that it is to replace.
  Result<iceberg::RowPositions> MergeDeletes(Entry& entry, int32_t format_version);

  storage::FileStore& store_;
  const uint64_t small_deletes_;
  const int files_at_once_;
  iceberg::TableMetadataPtr metadata_;                    ///< What was loaded.
  std::optional<iceberg::DeletedRows> equality_deletes_;  ///< While an index is built.
  bool loaded_ = false;
  std::unordered_map<std::string, Entry> entries_;  ///< By location.
  std::vector<std::string> touched_;                ///< Locations that were added or marked, in order.
};

}  // namespace firn::pipeline
