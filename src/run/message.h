#pragma once

#include <optional>

#include <intact/base/result.h>
#include <intact/run/container.h>

namespace intact::run {

/// The last message of one of our processes to another, over a pipe.
struct Message {
  std::optional<Outcome> outcome;
  std::optional<Error> error;  ///< set instead of an outcome
};

void send_error(int fd, const Error& error);
void send_outcome(int fd, const Outcome& outcome);

/// Reads to the end of the pipe. Nothing when the other side ended without a message.
std::optional<Message> receive_message(int fd);

}  // namespace intact::run
