#include "message.h"

#include <cstring>
#include <string>

#include <intact/base/file.h>

namespace intact::run {
namespace {

// Both ends are forks of the same process, so its own layout serves.
struct Header {
  int has_outcome = 0, status = 0, has_error = 0, kind = 0, sys_errno = 0;
};

constexpr std::size_t kMaxMessage = 64 * 1024;

void send(int fd, const Outcome* outcome, const Error* error) {
  Header header;
  std::string text;
  if (outcome) {
    header.has_outcome = 1;
    header.status = outcome->status;
  }
  if (error) {
    header.has_error = 1;
    header.kind = static_cast<int>(error->kind());
    header.sys_errno = error->sys_errno();
    text = error->message().substr(0, kMaxMessage - sizeof header);
  }
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += text;
  // If this fails, nobody is left to report it to.
  (void)write_all(fd, as_bytes(bytes)).has_value();
}

}  // namespace

void send_error(int fd, const Error& error) {
  send(fd, nullptr, &error);
}

void send_outcome(int fd, const Outcome& outcome) {
  send(fd, &outcome, outcome.failure ? &*outcome.failure : nullptr);
}

std::optional<Message> receive_message(int fd) {
  const auto bytes = read_fd(fd, kMaxMessage);
  Header header;
  if (!bytes || bytes->size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes->data(), sizeof header);
  std::optional<Error> error;
  if (header.has_error)
    error.emplace(static_cast<ErrorKind>(header.kind),
                  std::string(as_text(ByteSpan(*bytes).subspan(sizeof header))), header.sys_errno);
  Message message;
  if (header.has_outcome)
    message.outcome = Outcome{header.status, std::move(error)};
  else
    message.error = std::move(error);
  return message;
}

}  // namespace intact::run
