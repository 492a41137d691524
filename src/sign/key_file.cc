#include "key_file.h"

#include <map>
#include <mutex>

#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/trusted_file.h>
#include <intact/crypto/pem.h>

namespace intact::sign {
namespace {

Result<std::string> read_text(int fd) {
  return std::string(as_text(TRY(read_fd(fd, crypto::kMaxPemSize))));
}

}  // namespace

Result<std::string> read_public_key_text(const std::string& file) {
  const bool is_standard_input = file == "-";
  const auto descriptor = descriptor_of(file);
  if (!is_standard_input && !descriptor) {
    const UniqueFd fd = TRY(open_trusted_file(file, TrustedOwner::anyone));
    return read_text(fd.get()).context(file);
  }
  static std::mutex mutex;
  static std::map<std::string, std::string> texts;
  const std::lock_guard lock(mutex);
  if (const auto kept = texts.find(file); kept != texts.end()) return kept->second;
  const int fd = is_standard_input ? TRY(claim_standard_input("the public key")) : *descriptor;
  std::string text = TRY(read_text(fd).context(is_standard_input ? "standard input" : file));
  return texts.emplace(file, std::move(text)).first->second;
}

}  // namespace intact::sign
