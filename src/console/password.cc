#include <CLI/CLI.hpp>
#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/base/inherited.h>
#include <intact/console/password.h>

#include "terminal.h"

namespace intact::console {
namespace {

/// The line end that editors and `echo` put at the end of a file is not part of the password.
crypto::Secret without_line_end(crypto::Secret text) {
  const std::string_view all = text.expose_text();
  std::size_t size = all.size();
  if (all.ends_with('\n')) --size;
  if (all.ends_with("\r\n")) --size;
  return size == all.size() ? std::move(text) : crypto::Secret::copy_of(text.expose().first(size));
}

}  // namespace

void add_password_options(CLI::App* command, PasswordOptions& options) {
  auto* const file = command->add_option(
      "--password-file", options.file,
      "Read the password from this file (without its newline), or - for standard input");
  auto* const fd = command->add_option("--password-fd", options.fd,
                                       "Read the password from this file descriptor");
  file->type_name("FILE")->always_capture_default(false);
  fd->type_name("N")->check(CLI::NonNegativeNumber)->excludes(file);
}

Result<crypto::Secret> read_password(const PasswordOptions& options, std::string_view what,
                                     PasswordUse use) {
  // Room for a line end after the longest password.
  constexpr std::size_t kMaxText = kMaxPasswordSize + 2;
  if (options.fd) {
    const std::string from = "password from descriptor " + std::to_string(*options.fd);
    TRY(check_inherited(*options.fd).context(from));
    return without_line_end(TRY(crypto::Secret::read_from(*options.fd, kMaxText).context(from)));
  }
  if (options.file == "-") {
    const int fd = TRY(claim_standard_input("--password-file"));
    return without_line_end(
        TRY(crypto::Secret::read_from(fd, kMaxText).context("password from standard input")));
  }
  if (!options.file.empty()) {
    const UniqueFd fd = TRY(open_file(options.file, O_RDONLY).context("password file"));
    return without_line_end(TRY(
        crypto::Secret::read_from(fd.get(), kMaxText).context("password file " + options.file)));
  }
  const std::string prompt = (use == PasswordUse::fresh ? "New password for " : "Password for ") +
                             std::string(what) + ": ";
  crypto::Secret password = TRY(ask_secret(prompt, kMaxPasswordSize));
  if (use == PasswordUse::fresh) {
    const crypto::Secret again = TRY(ask_secret("Repeat the password: ", kMaxPasswordSize));
    if (!crypto::equal_secret(password.expose(), again.expose()))
      return Error(ErrorKind::invalid_argument, "the passwords do not match");
  }
  return password;
}

}  // namespace intact::console
