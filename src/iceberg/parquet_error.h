// Parquet's and ORC's exceptions as arrow::Status, and their errors about a file as firn's.
#pragma once

#include <arrow/status.h>
#include <parquet/exception.h>

#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "firn/result.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {

/// Runs `call`, which gives an arrow::Status, with what it throws turned into a status too.
template <typename Call>
arrow::Status CatchParquet(Call&& call) {
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

}  // namespace firn::iceberg
