#include "pipeline/transaction_assembler.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <variant>

#include "base/failpoint.h"
#include "base/try.h"

namespace firn::pipeline {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

template <typename T>
const T* As(const postgres::Message& message) {
  return std::get_if<T>(&message.body);
}

}  // namespace

Status TransactionAssembler::Start() {
  std::error_code error;
  std::filesystem::remove_all(options_.directory, error);
  std::filesystem::create_directories(options_.directory, error);
  if (error) {
    return MakeError(ErrorKind::kPermission,
                     "making the spool folder {}: {}; set state_dir to a folder that firn may write",
                     options_.directory, error.message());
  }
  return {};
}

Status TransactionAssembler::Handle(std::string_view payload) {
  TRY(const postgres::Message message, parser_.Parse(payload, open_stream_.has_value()));
  const bool ends_stream = As<postgres::StreamStopMessage>(message) != nullptr;
  if (open_stream_ && !ends_stream) return Spool(message.xid, payload);
  return HandleMessage(message);
}

Status TransactionAssembler::Spool(postgres::Xid subtransaction, std::string_view payload) {
  TransactionSpool& spool = *streamed_.at(*open_stream_).spool;
  bytes_in_memory_ -= spool.bytes_in_memory();
  if (payload.size() > options_.memory_bytes / 2) {
    TRY_VOID(spool.AppendToFile(subtransaction, payload));
  } else {
    spool.Append(subtransaction, payload);
  }
  bytes_in_memory_ += spool.bytes_in_memory();
  while (bytes_in_memory_ > options_.memory_bytes) {
    // The largest, so that blocks are long and few, however many transactions are open.
    const auto bytes = [](const auto& entry) { return entry.second.spool->bytes_in_memory(); };
    TransactionSpool& largest = *std::ranges::max_element(streamed_, {}, bytes)->second.spool;
    bytes_in_memory_ -= largest.bytes_in_memory();
    TRY_VOID(largest.Spill());
  }
  return {};
}

void TransactionAssembler::Forget(postgres::Xid xid) {
  const auto position = streamed_.find(xid);
  if (position == streamed_.end()) return;
  bytes_in_memory_ -= position->second.spool->bytes_in_memory();
  streamed_.erase(position);
}

Status TransactionAssembler::HandleMessage(const postgres::Message& message) {
  return std::visit(Overloaded{
                        [&](const postgres::BeginMessage& begin) {
                          in_transaction_ = true;
                          return sink_.Begin(begin.xid, begin.commit_lsn, begin.committed_at_us);
                        },
                        [&](const postgres::CommitMessage& commit) {
                          in_transaction_ = false;
                          return sink_.End(commit.end_lsn);
                        },
                        [&](const postgres::StreamStartMessage& start) {
                          open_stream_ = start.xid;
                          Streamed& streamed = streamed_[start.xid];
                          if (!streamed.spool) {
                            streamed.spool =
                                std::make_unique<TransactionSpool>(fmt::format("{}/{}", options_.directory, start.xid));
                          }
                          return Status{};
                        },
                        [&](const postgres::StreamStopMessage&) {
                          open_stream_.reset();
                          return Status{};
                        },
                        [&](const postgres::StreamAbortMessage& abort) {
                          if (abort.subtransaction_xid == abort.xid) {
                            Forget(abort.xid);
                          } else if (auto position = streamed_.find(abort.xid); position != streamed_.end()) {
                            position->second.aborted.insert(abort.subtransaction_xid);
                          }
                          return Status{};
                        },
                        [&](const postgres::StreamCommitMessage& commit) { return Replay(commit); },
                        [&](const postgres::OriginMessage&) { return Status{}; },
                        [&](const postgres::LogicalMessage& logical) {
                          return logical.transactional ? sink_.Apply(message) : Status{};
                        },
                        [&](const auto&) { return sink_.Apply(message); },
                    },
                    message.body);
}

Status TransactionAssembler::Replay(const postgres::StreamCommitMessage& commit) {
  auto position = streamed_.find(commit.xid);
  if (position == streamed_.end()) {
    return MakeError(ErrorKind::kCorrupt, "a Stream Commit of transaction {} that was not streamed", commit.xid);
  }
  TRY_VOID(BeforeStep(Failpoint::kSpoolReplayBefore));
  const Streamed& streamed = position->second;
  in_transaction_ = true;
  TRY_VOID(sink_.Begin(commit.xid, commit.commit_lsn, commit.committed_at_us));
  TRY_VOID(streamed.spool->Replay([&](postgres::Xid xid, std::string_view payload) -> Status {
    TRY(const postgres::Message message, replay_parser_.Parse(payload, /*in_stream=*/true));
    // The server sends a relation's description once a transaction, even if the subtransaction that it came in aborts.
    const bool describes = As<postgres::RelationMessage>(message) || As<postgres::TypeMessage>(message);
    if (As<postgres::OriginMessage>(message)) return {};
    if (!describes && streamed.aborted.contains(xid)) return {};
    return sink_.Apply(message);
  }));
  in_transaction_ = false;
  TRY_VOID(sink_.End(commit.end_lsn));
  AfterStep(Failpoint::kSpoolReplayAfter);
  Forget(commit.xid);
  return {};
}

}  // namespace firn::pipeline
