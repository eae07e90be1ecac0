// Files that Arrow's libraries decode (Parquet, ORC): their exceptions as arrow::Status, what they say about a file's
// bytes as kCorrupt, and their batches.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <parquet/exception.h>

#include <exception>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "firn/result.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {

/// Runs `call`, which gives an arrow::Status, with what it throws turned into a status too.
template <typename Call>
arrow::Status CatchThrown(Call&& call) {
  try {
    return std::forward<Call>(call)();
  } catch (const parquet::ParquetStatusException& thrown) {
    return thrown.status();
  } catch (const parquet::ParquetException& thrown) {
    return arrow::Status::IOError(thrown.what());
  } catch (const std::bad_alloc&) {
    return arrow::Status::OutOfMemory("out of memory");
  } catch (const std::exception& thrown) {
    return arrow::Status::UnknownError(thrown.what());
  }
}

/// The error of reading a file of a format ("Parquet") that Arrow decodes: what it says about its bytes is kCorrupt.
inline Error DecodeError(const arrow::Status& status, std::string_view format) {
  Error error = storage::ToError(status, fmt::format("decoding {}", format));
  const bool about_bytes =
      (status.IsIOError() && status.detail() == nullptr) || status.IsInvalid() || status.IsTypeError();
  return about_bytes ? std::move(error).WithKind(ErrorKind::kCorrupt) : error;
}

/// Runs `call`, which gives an arrow::Status, on a file of a format.
template <typename Call>
Status Decode(std::string_view format, Call&& call) {
  const arrow::Status status = CatchThrown(std::forward<Call>(call));
  return status.ok() ? Status{} : Status(DecodeError(status, format));
}

/// Gives the batches of `reader` in turn, null at the end. `format`: a literal.
inline auto DecodedBatches(std::string_view format, std::shared_ptr<arrow::RecordBatchReader> reader) {
  return [format, reader = std::move(reader)]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
    std::shared_ptr<arrow::RecordBatch> batch;
    TRY_VOID(Decode(format, [&] { return reader->ReadNext(&batch); }));
    return batch;
  };
}

}  // namespace firn::iceberg
