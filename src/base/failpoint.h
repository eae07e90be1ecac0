// Named points at which a test ends the process, or has a step fail or take long: "at the third commit, just before
// it".
//
//   FIRN_FAILPOINTS="catalog.commit.before=kill@3"    SIGKILL at the third time that it is reached
//   FIRN_FAILPOINTS="manifest.write.before=error"     the first try fails with a transient error
//   FIRN_FAILPOINTS="spool.write.before=enospc@2"     the second write finds the disk full
//   FIRN_FAILPOINTS="copy.batch.before=slow"          each batch waits for a quarter of a second, from the first one on
//
// Several are parted by commas. A point that nobody asked for costs one relaxed load. Each kind of step that changes
// something outside of the process has a point before it and one behind it; only the former can fail.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "firn/result.h"

namespace firn {

/// In the order of kFailpointNames.
enum class Failpoint : uint8_t {
  kPublicationCreateBefore,
  kPublicationCreateAfter,
  kSlotCreateBefore,
  kSlotCreateAfter,
  kTableCreateBefore,
  kTableCreateAfter,
  kCopyBatchBefore,
  kCopyBatchAfter,
  kCopyCheckpointBefore,
  kCopyCheckpointAfter,
  kCopyKeysBefore,
  kCopyKeysAfter,
  kCopyCommitBefore,
  kCopyCommitAfter,
  kSpoolWriteBefore,
  kSpoolWriteAfter,
  kSpoolReplayBefore,
  kSpoolReplayAfter,
  kStoreWriteBefore,
  kStoreWriteAfter,
  kStoreSyncBefore,
  kStoreSyncAfter,
  kFlushBefore,
  kFlushAfter,
  kRowGroupWriteBefore,
  kRowGroupWriteAfter,
  kDataFileCloseBefore,
  kDataFileCloseAfter,
  kDeleteFileWriteBefore,
  kDeleteFileWriteAfter,
  kManifestWriteBefore,
  kManifestWriteAfter,
  kManifestListWriteBefore,
  kManifestListWriteAfter,
  kMetadataWriteBefore,
  kMetadataWriteAfter,
  kCatalogCommitBefore,
  kCatalogCommitAfter,
  kPointersMoveBefore,
  kPointersMoveAfter,
  kSchemaCommitBefore,
  kSchemaCommitAfter,
  kRewriteCommitBefore,
  kRewriteCommitAfter,
  kIndexResetBefore,
  kIndexResetAfter,
  kIndexBeginBefore,
  kIndexBeginAfter,
  kIndexApplyBefore,
  kIndexApplyAfter,
  kIndexLoadBefore,
  kIndexLoadAfter,
  kIndexCompleteBefore,
  kIndexCompleteAfter,
  kAcknowledgeBefore,
  kAcknowledgeAfter,
};

// clang-format off: one on each line.
inline constexpr std::array kFailpointNames = std::to_array<std::string_view>({
    "publication.create.before",
    "publication.create.after",
    "slot.create.before",
    "slot.create.after",
    "table.create.before",
    "table.create.after",
    "copy.batch.before",
    "copy.batch.after",
    "copy.checkpoint.before",
    "copy.checkpoint.after",
    "copy.keys.before",
    "copy.keys.after",
    "copy.commit.before",
    "copy.commit.after",
    "spool.write.before",
    "spool.write.after",
    "spool.replay.before",
    "spool.replay.after",
    "store.write.before",
    "store.write.after",
    "store.sync.before",
    "store.sync.after",
    "flush.before",
    "flush.after",
    "row_group.write.before",
    "row_group.write.after",
    "data_file.close.before",
    "data_file.close.after",
    "delete_file.write.before",
    "delete_file.write.after",
    "manifest.write.before",
    "manifest.write.after",
    "manifest_list.write.before",
    "manifest_list.write.after",
    "metadata.write.before",
    "metadata.write.after",
    "catalog.commit.before",
    "catalog.commit.after",
    "pointers.move.before",
    "pointers.move.after",
    "schema.commit.before",
    "schema.commit.after",
    "rewrite.commit.before",
    "rewrite.commit.after",
    "index.reset.before",
    "index.reset.after",
    "index.begin.before",
    "index.begin.after",
    "index.apply.before",
    "index.apply.after",
    "index.load.before",
    "index.load.after",
    "index.complete.before",
    "index.complete.after",
    "acknowledge.before",
    "acknowledge.after",
});
// clang-format on

namespace failpoints {
/// Set once by ArmFailpoints, before other threads start.
inline std::atomic<bool> armed = false;
/// What was asked for at this point: an error, or an error number; nothing else returns.
Status Fail(Failpoint point);
int FailWithErrno(Failpoint point);
}  // namespace failpoints

/// Takes what FIRN_FAILPOINTS says. Call it before there are threads. kInvalidConfig for what is no failpoint.
Status ArmFailpoints(std::string_view wanted);

/// A step comes next: it is to fail with the error, if there is one.
inline Status BeforeStep(Failpoint point) {
  if (!failpoints::armed.load(std::memory_order_relaxed)) [[likely]]
    return {};
  return failpoints::Fail(point);
}

/// A write comes next: it is to fail with this error number, unless it is 0.
inline int BeforeWrite(Failpoint point) {
  if (!failpoints::armed.load(std::memory_order_relaxed)) [[likely]]
    return 0;
  return failpoints::FailWithErrno(point);
}

/// A step was done.
inline void AfterStep(Failpoint point) {
  if (failpoints::armed.load(std::memory_order_relaxed)) [[unlikely]]
    (void)failpoints::Fail(point);
}

}  // namespace firn
