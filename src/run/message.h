#pragma once

#include <optional>

#include <intact/base/result.h>
#include <intact/run/container.h>

namespace intact::run {

/// What one of our processes tells another over a pipe, as its last words.
struct Message {
  std::optional<Outcome> outcome;
  std::optional<Error> error;  ///< without an outcome: the whole failed
};

void send_error(int fd, const Error& error);
void send_outcome(int fd, const Outcome& outcome);

/// Reads to the end of the pipe. Nothing when the other side ended without a word.
std::optional<Message> receive_message(int fd);

}  // namespace intact::run
