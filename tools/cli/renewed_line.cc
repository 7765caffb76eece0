#include "tools/cli/renewed_line.h"

#include "tools/cli/printable.h"

namespace foldlog::cli {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[K";
constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

void RenewedLine::Show(std::string_view text) {
  constexpr std::size_t kColumnsUnknown = 80;
  // The last column stays empty: a character there makes some terminals wrap.
  const std::size_t columns = out_->terminal_columns().value_or(kColumnsUnknown);
  out_->Raw(kClearLine);
  out_->Raw(TruncateToWidth(text, columns > 1 ? columns - 1 : columns));
  out_->Flush().IgnoreError();
  shown_ = true;
  shown_at_ = Clock::now();
}

bool RenewedLine::IsDue() const { return Clock::now() - shown_at_ >= kInterval; }

void RenewedLine::Finish() {
  if (!shown_) return;
  out_->Raw(kClearLine);
  out_->Flush().IgnoreError();
  shown_ = false;
}

}  // namespace foldlog::cli
