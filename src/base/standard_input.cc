#include <mutex>
#include <string>

#include <unistd.h>

#include <intact/base/file.h>

namespace intact {

Result<int> claim_standard_input(std::string_view what) {
  static std::mutex mutex;
  static std::string owner;
  const std::lock_guard lock(mutex);
  if (!owner.empty())
    return Error(ErrorKind::invalid_argument, std::string(what) +
                                                  ": standard input is already used for " + owner +
                                                  "; read one of them from a file");
  owner = what;
  return STDIN_FILENO;
}

}  // namespace intact
