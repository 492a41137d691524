#include <intact/base/distinct_lines.h>

namespace intact {

DistinctLines::Verdict DistinctLines::add(std::string_view line) {
  std::string key(line);
  const std::lock_guard lock(mutex_);
  if (lines_.contains(key)) return Verdict::known;
  if (full_) return Verdict::over;
  if (lines_.size() >= kMaxLines || bytes_ + key.size() > kMaxBytes) {
    full_ = true;
    return Verdict::full;
  }
  bytes_ += key.size();
  lines_.insert(std::move(key));
  return Verdict::fresh;
}

}  // namespace intact
