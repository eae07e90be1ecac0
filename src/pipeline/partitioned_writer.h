// The data files that a table's rows are being written to: one for each partition that rows come for, a single one
// where the table has no partitions. Shared by the stream (table_writer) and the initial copy (table_copy).
//
//   batch ──Partitioner──► rows of a partition ──► held in memory ──► row groups of an open file ──► closed file
//                                                      │                      │
//                          all writers hold too much: the largest    more are open than may be: the one that rows
//                          of this writer's becomes a row group      have not come for the longest is closed
//
// A partition's file begins with its first row, but is opened only when it has a row group: a thousand partitions of a
// few rows each cost memory, not open files, and their rows are gathered as long as memory allows.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "iceberg/data_file_writer.h"
#include "iceberg/partition_rows.h"
#include "iceberg/table_metadata.h"
#include "observe/metrics.h"
#include "pipeline/row_memory.h"
#include "storage/file_store.h"

namespace firn::pipeline {

struct DataFileOptions {
  int64_t target_file_size_bytes = 512 << 20;
  int max_open_files = 10;  ///< Of a table.
  int files_at_once = 8;    ///< That a commit closes, or whose deletes it writes, at the same time: mostly waiting.
  iceberg::ParquetOptions parquet;
  /// For rows that are sorted and don't fit into memory (maintenance); empty: the system's for temporary files.
  std::string spill_folder;
  std::shared_ptr<RowMemory> memory = std::make_shared<RowMemory>(256 << 20);  ///< Copies of the options share it.
};

/// Rows of a batch that went to one file.
struct PlacedRows {
  std::string location;
  bool is_new_file = false;
  int64_t first_position = 0;  ///< The position in the file of rows[0]; the others follow it.
  std::vector<int32_t> rows;   ///< Of the batch, ascending.
};

/// Single-threaded. What is not closed when it goes is deleted.
class PartitionedWriter {
 public:
  /// Batches have ToArrowSchema(schema)'s columns and are divided by the table's default spec. `name` gives each file's
  /// name, without folders; `table` stands in metrics.
  static Result<std::unique_ptr<PartitionedWriter>> Make(storage::FileStore& store, Metrics& metrics,
                                                         iceberg::TableMetadataPtr metadata, iceberg::Schema schema,
                                                         DataFileOptions options, std::string table,
                                                         std::function<std::string()> name);

  /// Every row in exactly one of the results.
  Result<std::vector<PlacedRows>> Write(const std::shared_ptr<arrow::RecordBatch>& batch);

  /// Whether rows of the file are not in the store yet.
  bool IsBeingWritten(const std::string& location) const { return partition_of_.contains(location); }
  Status CloseFile(const std::string& location);
  /// In the order in which they began.
  Status CloseAll();
  /// The files that were closed since the last call, with partition and spec.
  std::vector<iceberg::DataFile> TakeClosed() { return std::exchange(closed_, {}); }

  size_t files_begun() const { return files_.size(); }
  int files_open() const { return files_open_; }

 private:
  struct File {
    uint64_t number = 0;
    std::string location;
    iceberg::PartitionValues partition;
    std::unique_ptr<iceberg::DataFileWriter> writer;
    HeldRows held;
    std::unique_ptr<OpenFileCount> counted;  ///< Set while it is open.
    std::chrono::nanoseconds written{};      ///< Time spent writing it.
    uint64_t last_batch = 0;                 ///< The last batch that had rows for it.
  };
  using Files = std::unordered_map<std::string, File>;  ///< By PartitionKey.

  PartitionedWriter(storage::FileStore& store, Metrics& metrics, iceberg::TableMetadataPtr metadata,
                    iceberg::Schema schema, iceberg::Partitioner partitioner, DataFileOptions options,
                    std::string table, std::function<std::string()> name);

  Result<Files::iterator> Begin(const iceberg::PartitionValues& partition, std::string key);
  /// Runs a call on the file's writer, and looks at what has become of it.
  template <typename Call>
  Status Do(File& file, Call call);
  bool IsLargeEnough(const File& file) const {
    return file.writer->estimated_bytes() >= options_.target_file_size_bytes;
  }
  Status Close(Files::iterator position);
  /// Closes the file's writer: different files' from any thread.
  static Result<iceberg::DataFile> CloseWriter(File& file);
  /// A file whose writer is closed, as `closed`, is no longer one that is being written.
  void TakeClosed(Files::iterator position, iceberg::DataFile closed);
  Status GiveBackMemory();
  Status CloseLeastUseful();

  storage::FileStore& store_;
  Metrics& metrics_;
  const iceberg::TableMetadataPtr metadata_;
  const iceberg::Schema schema_;
  const iceberg::Partitioner partitioner_;
  const DataFileOptions options_;
  const std::string table_;
  const std::function<std::string()> name_;
  Files files_;
  std::unordered_map<std::string, std::string> partition_of_;  ///< Keys of files_, by location.
  std::vector<iceberg::DataFile> closed_;
  int files_open_ = 0;
  uint64_t files_numbered_ = 0;
  uint64_t batches_ = 0;
};

}  // namespace firn::pipeline
