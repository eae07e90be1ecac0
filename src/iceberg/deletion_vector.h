// Deletion vectors (v3): the deleted positions of one data file as a blob "deletion-vector-v1" of a Puffin file.
//
//   length (uint32 BE) of what follows up to the CRC | D1 D3 39 64 | bitmap | CRC-32 (uint32 BE) of magic and bitmap
//
//   bitmap: count (uint64 LE), then for each high half of the positions, ascending: half (uint32 LE), and the low
//   halves as a 32-bit Roaring bitmap in its portable format
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/row_positions.h"
#include "storage/file_store.h"

namespace firn::iceberg {

inline constexpr char kDeletionVectorBlob[] = "deletion-vector-v1";

std::string EncodeDeletionVector(RowPositions positions);
/// kCorrupt for bytes that are none; each length, the CRC and the bitmap's own order are checked.
Result<RowPositions> DecodeDeletionVector(std::string_view blob);

/// Reads the vector that `vector` (a delete file of a manifest) names by its offset and size.
Result<RowPositions> ReadDeletionVector(storage::FileStore& store, const DataFile& vector);

/// Writes the vector of `data_file` (its partition and spec are taken over, referenced_data_file is set) into a Puffin
/// file of its own: DuckDB (1.5) reads a file's first vector for all of them.
Result<DataFile> WriteDeletionVector(storage::FileStore& store, std::string location, const DataFile& data_file,
                                     RowPositions positions);

}  // namespace firn::iceberg
