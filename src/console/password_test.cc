#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/console/password.h>

namespace intact::console {
namespace {

class PasswordFileTest : public testing::Test {
 protected:
  TempDir dir_ = *TempDir::create();

  Result<crypto::Secret> read(std::string_view content) {
    const std::string path = dir_.path("password");
    EXPECT_TRUE(write_file_durably(path, as_bytes(content), 0600));
    PasswordOptions options;
    options.file = path;
    return read_password(options, "the key", PasswordUse::existing);
  }
};

TEST_F(PasswordFileTest, LosesOneNewlineAtItsEnd) {
  const std::pair<const char*, const char*> cases[] = {
      {"secret", "secret"},
      {"secret\n", "secret"},
      {"secret\r\n", "secret"},
      {"a\n\n", "a\n"},
      {"a\nb\n", "a\nb"},
      {" a ", " a "},
      {"", ""},
      {"\n", ""},
      {"a\r", "a\r"},
  };
  for (const auto& [content, password] : cases) {
    const auto secret = read(content);
    ASSERT_TRUE(secret) << content;
    EXPECT_EQ(secret->expose_text(), password);
  }
}

TEST_F(PasswordFileTest, HasALimit) {
  EXPECT_TRUE(read(std::string(kMaxPasswordSize, 'p') + "\n"));
  const auto too_long = read(std::string(kMaxPasswordSize + 3, 'p'));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().kind(), ErrorKind::limit);
  EXPECT_EQ(too_long.error().message().find("ppp"), std::string::npos);
}

TEST_F(PasswordFileTest, IsMissing) {
  PasswordOptions options;
  options.file = dir_.path("nothing");
  EXPECT_EQ(read_password(options, "the key", PasswordUse::existing).error().kind(),
            ErrorKind::not_found);
}

TEST(PasswordDescriptor, IsReadToItsEnd) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ASSERT_EQ(::write(writer.get(), "sec", 3), 3);
  ASSERT_EQ(::write(writer.get(), "ret\n", 4), 4);
  writer.reset();
  PasswordOptions options;
  options.fd = reader.get();
  const auto secret = read_password(options, "the key", PasswordUse::fresh);
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->expose_text(), "secret");
  options.fd = 999;
  EXPECT_EQ(read_password(options, "the key", PasswordUse::fresh).error().kind(), ErrorKind::io);
}

/// A process with a terminal of its own, at whose other end we type and read.
class TerminalTest : public testing::Test {
 protected:
  /// Runs `body` in a child with a terminal; its return value becomes the exit status.
  void start(const std::function<int()>& body) {
    int master = -1;
    child_ = ::forkpty(&master, nullptr, nullptr, nullptr);
    ASSERT_GE(child_, 0);
    if (child_ == 0) ::_exit(body());
    master_.reset(master);
  }
  /// Reads what the terminal shows until `text` was there.
  void await(std::string_view text) {
    while (shown_.find(text, seen_) == std::string::npos) {
      pollfd ready{.fd = master_.get(), .events = POLLIN, .revents = 0};
      ASSERT_EQ(::poll(&ready, 1, 30'000), 1) << "after 30 s the terminal shows only: " << shown_;
      char buffer[256];
      const ssize_t n = ::read(master_.get(), buffer, sizeof buffer);
      ASSERT_GT(n, 0) << "the terminal shows only: " << shown_;
      shown_.append(buffer, static_cast<std::size_t>(n));
    }
    seen_ = shown_.find(text, seen_) + text.size();
  }
  void type(std::string_view keys) {
    ASSERT_EQ(::write(master_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  bool echoes() const {
    termios settings{};
    EXPECT_EQ(::tcgetattr(master_.get(), &settings), 0);
    return (settings.c_lflag & ECHO) != 0;
  }
  int wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(child_, &status, 0), child_);
    return status;
  }
  /// Asks as the commands do; 0 if the password is "secret".
  static int ask(PasswordUse use) {
    const auto secret = read_password({}, "the key", use);
    if (!secret) return 10 + static_cast<int>(secret.error().kind());
    return secret->expose_text() == "secret" ? 0 : 1;
  }
  static int failed_as(ErrorKind kind) { return 10 + static_cast<int>(kind); }

  pid_t child_ = -1;
  UniqueFd master_;
  std::string shown_;
  std::size_t seen_ = 0;
};

TEST_F(TerminalTest, AsksOnceWithoutEcho) {
  start([] { return ask(PasswordUse::existing); });
  await("Password for the key: ");
  EXPECT_FALSE(echoes());
  type("secret\n");
  const int status = wait();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(echoes());
  EXPECT_EQ(shown_.find("secret"), std::string::npos);
}

TEST_F(TerminalTest, AsksTwiceForANewOne) {
  start([] { return ask(PasswordUse::fresh); });
  await("New password for the key: ");
  type("secret\n");
  await("Repeat the password: ");
  type("secret\n");
  EXPECT_EQ(WEXITSTATUS(wait()), 0);
}

TEST_F(TerminalTest, RefusesTwoThatDiffer) {
  start([] { return ask(PasswordUse::fresh); });
  await("New password for the key: ");
  type("secret\n");
  await("Repeat the password: ");
  type("secert\n");
  EXPECT_EQ(WEXITSTATUS(wait()), failed_as(ErrorKind::invalid_argument));
}

TEST_F(TerminalTest, AnswersEndOfInput) {
  start([] { return ask(PasswordUse::existing); });
  await("Password for the key: ");
  type("\x04");
  EXPECT_EQ(WEXITSTATUS(wait()), failed_as(ErrorKind::cancelled));
  EXPECT_TRUE(echoes());
}

TEST_F(TerminalTest, WhatWasTypedBeforeCounts) {
  // As `script -c` does, which sends the end of input at once; or a password that is pasted twice.
  for (const auto& [keys, status] :
       {std::pair("\x04", failed_as(ErrorKind::cancelled)), std::pair("secret\nsecret\n", 0)}) {
    start([] {
      // Not before all of it has come.
      pollfd ready{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
      ::poll(&ready, 1, 30'000);
      return ask(PasswordUse::fresh);
    });
    type(keys);
    EXPECT_EQ(WEXITSTATUS(wait()), status);
    EXPECT_TRUE(echoes());
  }
}

TEST_F(TerminalTest, IsRestoredWhenASignalEndsTheProgram) {
  for (const bool by_key : {true, false}) {
    start([] { return ask(PasswordUse::existing); });
    await("Password for the key: ");
    EXPECT_FALSE(echoes());
    if (by_key) {
      type("sec\x03");
    } else {
      ASSERT_EQ(::kill(child_, SIGTERM), 0);
    }
    const int status = wait();
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), by_key ? SIGINT : SIGTERM);
    EXPECT_TRUE(echoes());
    shown_.clear();
    seen_ = 0;
  }
}

TEST(NoTerminal, IsSaid) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    const auto secret = read_password({}, "the key", PasswordUse::existing);
    ::_exit(!secret && secret.error().kind() == ErrorKind::invalid_argument &&
                    secret.error().message().find("--password-file") != std::string::npos
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace intact::console
