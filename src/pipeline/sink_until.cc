#include "pipeline/sink_until.h"

#include <chrono>

#include "base/try.h"

namespace firn::pipeline {
namespace {

constexpr std::chrono::milliseconds kPollInterval{100};

}  // namespace

Status ReadUntil(postgres::ReplicationStream& stream, SinkUntil& sink, const std::function<Status()>& go_on) {
  // Transactions come whole: the spool is not used.
  TransactionAssembler assembler(sink, {});
  while (!sink.done() && stream.received() < sink.until()) {
    TRY_VOID(go_on());
    TRY(auto data, stream.Next(kPollInterval));
    if (!data) TRY_VOID(stream.SendStatus());  // The server answers with how far it is.
    while (data && !sink.done()) {
      TRY_VOID(assembler.Handle(data->payload).Context("at LSN {}", data->start));
      TRY(data, stream.Next(std::chrono::milliseconds(0)));
    }
  }
  return {};
}

}  // namespace firn::pipeline
