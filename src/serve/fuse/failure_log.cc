#include "failure_log.h"

namespace intact::serve {

void FailureLog::add(std::string_view line) {
  if (!sink_) return;
  switch (seen_.add(line)) {
    case DistinctLines::Verdict::fresh:
      return sink_(line);
    case DistinctLines::Verdict::full:
      return sink_("too many different failures: no more are logged");
    case DistinctLines::Verdict::known:
    case DistinctLines::Verdict::over:
      return;
  }
}

}  // namespace intact::serve
