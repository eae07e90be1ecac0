// The binary form of a value → the text that PostgreSQL's output function prints under firn's session settings
// (postgres/connection.cc: DateStyle ISO, UTC, shortest floats, bytea in hexadecimal). For columns that are stored as
// string although their type has a better place, and for messages. Pure; no allocation.
#pragma once

#include <string>
#include <string_view>

#include "encode/type_mapping.h"
#include "encode/wire_codecs.h"
#include "encode/wire_fault.h"

namespace firn::encode {

/// How one type's binary form becomes its text.
struct BinaryToText {
  /// No less than the bytes that `format` writes.
  size_t (*bound)(std::string_view bytes);
  /// Writes the text at `out` and moves it behind.
  Fault (*format)(std::string_view bytes, char*& out);
};

/// Null for codecs that know no binary form (kTextForm, kTextArray) and for kArray, whose elements decide.
const BinaryToText* FindBinaryToText(Codec codec);

/// The text of one binary value; empty when malformed or when the codec knows no binary form.
std::string BinaryAsText(Codec codec, std::string_view bytes);

/// The same for an array of such values.
std::string BinaryArrayAsText(Codec element_codec, TypeOid element_oid, std::string_view bytes);

/// A codec of column_decoder for a scalar that is stored as its text.
struct ScalarTextCodec : TextCodec {
  const BinaryToText* form = nullptr;

  size_t Bound(const WireValue& value) const {
    return value.format == WireFormat::kBinary ? form->bound(value.bytes()) : TextCodec::Bound(value);
  }
  Fault Binary(std::string_view bytes, char*& out) const { return form->format(bytes, out); }
};

/// The same for an array of such scalars: array_out's text, of any dimensions and lower bounds.
struct ArrayTextCodec : TextCodec {
  const BinaryToText* element = nullptr;
  TypeOid element_oid = 0;

  size_t Bound(const WireValue& value) const {
    return value.format == WireFormat::kBinary ? BinaryBound(value.bytes()) : TextCodec::Bound(value);
  }
  Fault Binary(std::string_view bytes, char*& out) const;
  /// No less than the bytes that Binary writes.
  size_t BinaryBound(std::string_view bytes) const;
};

}  // namespace firn::encode
