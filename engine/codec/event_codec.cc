#include "engine/codec/event_codec.h"

#include <type_traits>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/codec_parts.h"
#include "engine/codec/frame.h"

namespace foldlog {
namespace {

// --- encoding: one Fill and one Bound a kind ---

void Bound(const Started& body, SizeBound& bound) {
  bound.Add(body.operation_id);
  bound.Add(body.roots);
  bound.Add(body.metadata);
  bound.Add(body.owner);
}

void Bound(const Checkpoint& body, SizeBound& bound) {
  if (body.current_path) bound.Add(*body.current_path);
  if (body.last_processed_file) bound.Add(*body.last_processed_file);
  if (body.error) bound.Add(*body.error);
}

void Bound(const Paused& body, SizeBound& bound) { bound.Add(body.reason); }
void Bound(const Completed& body, SizeBound& bound) { bound.Add(body.stats); }
void Bound(const Failed& body, SizeBound& bound) { bound.Add(body.error); }
void Bound(const Cleared&, SizeBound&) {}
void Bound(const Reset& body, SizeBound& bound) { bound.Add(body.reason); }

void Bound(const Imported& body, SizeBound& bound) {
  bound.Add(body.operation_id);
  if (body.current_path) bound.Add(*body.current_path);
  if (body.last_processed_file) bound.Add(*body.last_processed_file);
  bound.Add(body.failure);
  bound.Add(body.errors);
  bound.Add(body.owner);
  bound.Add(body.source);
  if (!body.row) return;
  bound.Add(body.row->operation_type);
  bound.Add(body.row->status);
  bound.Add(body.row->checkpoint_data);
}

template <typename Takeover>  // Resumed, Recovered
void Bound(const Takeover& body, SizeBound& bound) {
  bound.Add(body.reason);
  bound.Add(body.owner);
}

void Fill(const Started& body, schema::Event::Builder event) {
  auto out = event.initStarted();
  out.setOperationId(ToData(body.operation_id));
  out.setType(static_cast<schema::OperationType>(body.type));
  out.setTotalFiles(ToCount(body.total_files));
  EncodePaths(body.roots, out.initRoots(static_cast<unsigned>(body.roots.size())));
  EncodeMetadata(body.metadata, out.initMetadata(static_cast<unsigned>(body.metadata.size())));
  EncodeOwner(body.owner, out.initOwner());
}

void Fill(const FileError& error, schema::FileError::Builder out) {
  out.setPath(ToData(error.path));
  out.setMessage(ToData(error.message));
  SetUnlessEmpty(error.details, [&](auto data) { out.setDetails(data); });
}

void Fill(const Checkpoint& body, schema::Event::Builder event) {
  auto out = event.initCheckpoint();
  out.setFilesProcessed(body.files_processed);
  out.setBatchNum(ToCount(body.batch_num));
  if (body.current_path) out.setCurrentPath(ToData(*body.current_path));
  if (body.last_processed_file) out.setLastProcessedFile(ToData(*body.last_processed_file));
  if (body.error) Fill(*body.error, out.initError());
}

void Fill(const Paused& body, schema::Event::Builder event) {
  auto out = event.initPaused();
  SetUnlessEmpty(body.reason, [&](auto data) { out.setReason(data); });
}

void Fill(const Resumed& body, schema::Event::Builder event) {
  auto out = event.initResumed();
  SetUnlessEmpty(body.reason, [&](auto data) { out.setReason(data); });
  EncodeOwner(body.owner, out.initOwner());
}

void Fill(const Recovered& body, schema::Event::Builder event) {
  auto out = event.initRecovered();
  out.setEvidence(static_cast<schema::Evidence>(body.evidence));
  SetUnlessEmpty(body.reason, [&](auto data) { out.setReason(data); });
  EncodeOwner(body.owner, out.initOwner());
}

void Fill(const Completed& body, schema::Event::Builder event) {
  EncodeStats(body.stats, event.initCompleted().initStats(static_cast<unsigned>(body.stats.size())));
}

void Fill(const Failed& body, schema::Event::Builder event) { event.initFailed().setError(ToData(body.error)); }

void Fill(const Cleared&, schema::Event::Builder event) { event.setCleared(); }

void Fill(const Reset& body, schema::Event::Builder event) {
  auto out = event.initReset();
  SetUnlessEmpty(body.reason, [&](auto data) { out.setReason(data); });
}

void Fill(const SingleRow& row, schema::Row::Builder out) {
  out.setOperationType(ToData(row.operation_type));
  out.setStatus(ToData(row.status));
  out.setCheckpointData(ToData(row.checkpoint_data));
  out.setStartedAt(row.started_at);
  out.setUpdatedAt(row.updated_at);
  out.setCompletedAt(row.completed_at.value_or(kNotCompleted));
}

void Fill(const std::vector<ImportedError>& errors, capnp::List<schema::ImportedError>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i) {
    out[i].setTime(errors[i].time);
    Fill(errors[i].error, out[i].initError());
  }
}

void Fill(const Imported& body, schema::Event::Builder event) {
  auto out = event.initImported();
  out.setOperationId(ToData(body.operation_id));
  out.setType(static_cast<schema::OperationType>(body.type));
  out.setStatus(static_cast<schema::OperationStatus>(body.status));
  out.setTotalFiles(ToCount(body.total_files));
  out.setFilesProcessed(body.files_processed);
  out.setBatchNum(body.batch_num);
  if (body.current_path) out.setCurrentPath(ToData(*body.current_path));
  if (body.last_processed_file) out.setLastProcessedFile(ToData(*body.last_processed_file));
  out.setRate(body.rate);
  out.setStartedAt(body.started_at);
  out.setLastUpdate(body.last_update);
  out.setUpdatedAt(body.updated_at);
  out.setEndedAt(body.ended_at);
  SetUnlessEmpty(body.failure, [&](auto data) { out.setFailure(data); });
  Fill(body.errors, out.initErrors(static_cast<unsigned>(body.errors.size())));
  EncodeOwner(body.owner, out.initOwner());
  SetUnlessEmpty(body.source, [&](auto data) { out.setSource(data); });
  if (body.row) Fill(*body.row, out.initRow());
}

// --- decoding ---

absl::StatusOr<EventBody> Decode(schema::Started::Reader in) {
  Started body;
  body.operation_id = FromData(in.getOperationId());
  ASSIGN_OR_RETURN(body.type, DecodeOperationType(in.getType()));
  ASSIGN_OR_RETURN(body.total_files, FromCount(in.getTotalFiles(), "total of files"));
  body.roots = DecodePaths(in.getRoots());
  body.metadata = DecodeMetadata(in.getMetadata());
  body.owner = DecodeOwner(in.getOwner());
  return body;
}

FileError DecodeError(schema::FileError::Reader in) {
  return {FromData(in.getPath()), FromData(in.getMessage()), FromData(in.getDetails())};
}

absl::StatusOr<EventBody> Decode(schema::Event::Checkpoint::Reader in) {
  Checkpoint body;
  ASSIGN_OR_RETURN(body.files_processed, FromPlainCount(in.getFilesProcessed(), "count of files processed"));
  ASSIGN_OR_RETURN(body.batch_num, FromCount(in.getBatchNum(), "batch number"));
  if (in.hasCurrentPath()) body.current_path = FromData(in.getCurrentPath());
  if (in.hasLastProcessedFile()) body.last_processed_file = FromData(in.getLastProcessedFile());
  if (in.hasError()) body.error = DecodeError(in.getError());
  return body;
}

absl::StatusOr<EventBody> Decode(schema::Recovered::Reader in) {
  if (in.getEvidence() > schema::Evidence::FORCED) {
    return absl::UnimplementedError("a recovery on newer evidence; read this log with a newer foldlog");
  }
  return Recovered{static_cast<Evidence>(in.getEvidence()), FromData(in.getReason()), DecodeOwner(in.getOwner())};
}

SingleRow DecodeRow(schema::Row::Reader in) {
  SingleRow row{.operation_type = FromData(in.getOperationType()),
                .status = FromData(in.getStatus()),
                .checkpoint_data = FromData(in.getCheckpointData()),
                .started_at = in.getStartedAt(),
                .updated_at = in.getUpdatedAt()};
  if (in.getCompletedAt() != kNotCompleted) row.completed_at = in.getCompletedAt();
  return row;
}

// Elements that take no room could be many more than the event has bytes: those are refused at the first.
absl::StatusOr<std::vector<ImportedError>> DecodeErrors(capnp::List<schema::ImportedError>::Reader in) {
  std::vector<ImportedError> errors;
  for (const auto error : in) {
    if (!error.hasError()) return absl::DataLossError("an imported error that is none");
    errors.push_back({error.getTime(), DecodeError(error.getError())});
  }
  return errors;
}

absl::StatusOr<EventBody> Decode(schema::Imported::Reader in) {
  Imported body;
  body.operation_id = FromData(in.getOperationId());
  ASSIGN_OR_RETURN(body.type, DecodeOperationType(in.getType()));
  ASSIGN_OR_RETURN(body.status, DecodeOperationStatus(in.getStatus()));
  ASSIGN_OR_RETURN(body.total_files, FromCount(in.getTotalFiles(), "total of files"));
  ASSIGN_OR_RETURN(body.files_processed, FromPlainCount(in.getFilesProcessed(), "count of files processed"));
  ASSIGN_OR_RETURN(body.batch_num, FromPlainCount(in.getBatchNum(), "batch number"));
  if (in.hasCurrentPath()) body.current_path = FromData(in.getCurrentPath());
  if (in.hasLastProcessedFile()) body.last_processed_file = FromData(in.getLastProcessedFile());
  body.rate = in.getRate();
  body.started_at = in.getStartedAt();
  body.last_update = in.getLastUpdate();
  body.updated_at = in.getUpdatedAt();
  body.ended_at = in.getEndedAt();
  body.failure = FromData(in.getFailure());
  ASSIGN_OR_RETURN(body.errors, DecodeErrors(in.getErrors()));
  body.owner = DecodeOwner(in.getOwner());
  body.source = FromData(in.getSource());
  if (in.hasRow()) body.row = DecodeRow(in.getRow());
  return body;
}

absl::StatusOr<EventBody> DecodeBody(schema::Event::Reader in) {
  switch (in.which()) {
    case schema::Event::STARTED:
      return Decode(in.getStarted());
    case schema::Event::CHECKPOINT:
      return Decode(in.getCheckpoint());
    case schema::Event::PAUSED:
      return Paused{FromData(in.getPaused().getReason())};
    case schema::Event::RESUMED:
      return Resumed{FromData(in.getResumed().getReason()), DecodeOwner(in.getResumed().getOwner())};
    case schema::Event::RECOVERED:
      return Decode(in.getRecovered());
    case schema::Event::COMPLETED: {
      ASSIGN_OR_RETURN(Stats stats, DecodeStats(in.getCompleted().getStats()));
      return Completed{std::move(stats)};
    }
    case schema::Event::FAILED:
      return Failed{FromData(in.getFailed().getError())};
    case schema::Event::CLEARED:
      return Cleared{};
    case schema::Event::RESET:
      return Reset{FromData(in.getReset().getReason())};
    case schema::Event::IMPORTED:
      return Decode(in.getImported());
  }
  return absl::UnimplementedError(
      absl::StrCat("an event of kind ", static_cast<int>(in.which()),
                   ", which this version does not know; read this log with a newer foldlog"));
}

Event ToEvent(const CheckpointView& plain) {
  Checkpoint body{.files_processed = plain.files_processed, .batch_num = plain.batch_num};
  if (IsPresent(plain.current_path)) body.current_path.emplace(plain.current_path);
  if (IsPresent(plain.last_processed_file)) body.last_processed_file.emplace(plain.last_processed_file);
  return {plain.at.time, plain.epoch, std::move(body), plain.at.boot};
}

}  // namespace

std::size_t MaxBytesOf(const EventBody& body) {
  return std::holds_alternative<Imported>(body) ? kMaxPayloadBytes : kMaxCommonPayloadBytes;
}

// A checkpoint is small and comes in millions, and the room reserved for it has to be cleared each time.
constexpr std::size_t kCheckpointFixedWords = 24;

// No event that fits into a frame has a bound beyond this, and no more memory is taken for one that does not: its bound
// is at most that many times what it takes, where all texts are empty.
constexpr std::size_t kBoundFactorMax = 10;

absl::Status EncodeEvent(const Event& event, std::vector<std::uint64_t>& words) {
  SizeBound bound = std::holds_alternative<Checkpoint>(event.body) ? SizeBound(kCheckpointFixedWords) : SizeBound();
  std::visit([&](const auto& body) { Bound(body, bound); }, event.body);
  const std::size_t bytes_max = MaxBytesOf(event.body);
  if (bound.words() > kBoundFactorMax * bytes_max / sizeof(std::uint64_t)) {
    return absl::InvalidArgumentError(absl::StrCat("the event takes many times the ", bytes_max,
                                                   " bytes allowed; shorten its paths or texts, or give fewer"));
  }
  return EncodeMessage<schema::Event>(bound, words, [&](schema::Event::Builder out) {
    out.setTime(event.time);
    out.setEpoch(event.epoch);
    out.setBootedAt(event.boot.at);
    out.setBoot(event.boot.id);
    std::visit([&](const auto& body) { Fill(body, out); }, event.body);
  });
}

absl::StatusOr<Event> DecodeEvent(std::span<const std::uint64_t> words) {
  CheckpointView plain;
  if (DecodePlainCheckpoint(words, plain)) return ToEvent(plain);
  return DecodeAnyEvent(words);
}

absl::StatusOr<Event> DecodeAnyEvent(std::span<const std::uint64_t> words) {
  return DecodeMessage<schema::Event>(words, [words](schema::Event::Reader in) -> absl::StatusOr<Event> {
    if (words.size_bytes() > kMaxCommonPayloadBytes && !in.isImported()) {
      return absl::DataLossError(absl::StrCat("an event of ", words.size_bytes(), " bytes that is no import"));
    }
    ASSIGN_OR_RETURN(EventBody body, DecodeBody(in));
    return Event{in.getTime(), in.getEpoch(), std::move(body), {.at = in.getBootedAt(), .id = in.getBoot()}};
  });
}

}  // namespace foldlog
