// The cold path of the decode loops: a value that its column can't hold becomes another one, NULL or an error, as the
// column's policy says.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "encode/type_mapping.h"
#include "encode/value_policy.h"
#include "encode/wire_codecs.h"
#include "encode/wire_fault.h"
#include "firn/result.h"
#include "model/wire_value.h"

namespace firn::encode {

/// What messages say of a column, and its policy.
struct ColumnContext {
  TableName table;
  std::string column;
  Codec codec = Codec::kTextForm;
  std::string iceberg_type;
  ValuePolicy policy = ValuePolicy::kError;
  Codec element_codec = Codec::kTextForm;  ///< kArray
  TypeOid element_oid = 0;                 ///< kArray
};

/// Values of one column that its Iceberg type can't hold, and that its policy replaced.
struct ReplacedValues {
  std::string column;
  ValuePolicy policy = ValuePolicy::kError;
  int64_t count = 0;
  std::string first;  ///< The first one, as messages show it.

  void Add(const ReplacedValues& others);
};

/// One per column decoder. Single-threaded.
class UnrepresentableValues {
 public:
  explicit UnrepresentableValues(ColumnContext context) : context_(std::move(context)) {}

  const ColumnContext& context() const { return context_; }
  bool clamps() const { return context_.policy == ValuePolicy::kClamp; }

  /// Counts the value where the policy replaces it: it is then the caller's to clamp it or to make it null. Else the
  /// error: kUnsupported for a value that the column's type can't hold, kCorrupt for malformed bytes.
  Status Accept(Fault fault, const WireValue& value);
  /// What Accept says where the policy is kError.
  Error ErrorOf(Fault fault, const WireValue& value) const;
  /// Counts values that were replaced without a fault.
  void Count(int64_t replaced, const WireValue& value);
  /// What was counted since the last call.
  ReplacedValues Take();

 private:
  const ColumnContext context_;
  ReplacedValues replaced_;
};

/// Gives the nearest value that the codec's type holds for one that was a fault; false where there is none.
template <typename WireCodec>
bool Clamp(const WireCodec&, Fault, const WireValue&, typename WireCodec::Value&) {
  return false;
}
bool Clamp(const DateCodec& codec, Fault fault, const WireValue& value, int32_t& days);
bool Clamp(const TimeCodec& codec, Fault fault, const WireValue& value, int64_t& micros);
bool Clamp(const TimestampCodec& codec, Fault fault, const WireValue& value, int64_t& micros);
bool Clamp(const TimestampTzCodec& codec, Fault fault, const WireValue& value, int64_t& micros);
/// Too many digits: the type's largest or least value. Too fine: rounded as PostgreSQL rounds, half away from zero.
bool Clamp(const DecimalCodec& codec, Fault fault, const WireValue& value, Int128& unscaled);

}  // namespace firn::encode
