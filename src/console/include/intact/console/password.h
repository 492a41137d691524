#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace CLI {
class App;
}

namespace intact::console {

/// Where a password comes from: never from the command line itself or the environment, which other
/// users and child processes can read.
struct PasswordOptions {
  std::string file;       ///< --password-file; "-": standard input
  std::optional<int> fd;  ///< --password-fd
};

/// Adds --password-file and --password-fd, which exclude each other. `options` must live until the
/// command runs.
void add_password_options(CLI::App* command, PasswordOptions& options);

enum class PasswordUse {
  existing,  ///< to open something: asked for once
  fresh,     ///< to protect something new: typed twice at a terminal
};

inline constexpr std::size_t kMaxPasswordSize = 4096;  // bytes

/// The password: the content of the file or descriptor without one line end, or what is typed at
/// the terminal without echo after a prompt with `what` ("the key my.key"). invalid_argument
/// without a terminal, when the two typed passwords differ, or when standard input is used for
/// something else already.
Result<crypto::Secret> read_password(const PasswordOptions& options, std::string_view what,
                                     PasswordUse use);

}  // namespace intact::console
