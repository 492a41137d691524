#include <cerrno>

#include <gtest/gtest.h>

#include <intact/base/error.h>

namespace intact {
namespace {

TEST(ErrorCodes, TurnsSystemErrorsIntoKinds) {
  EXPECT_EQ(kind_of_errno(ENOENT), ErrorKind::not_found);
  EXPECT_EQ(kind_of_errno(EEXIST), ErrorKind::exists);
  EXPECT_EQ(kind_of_errno(EBUSY), ErrorKind::busy);
  EXPECT_EQ(kind_of_errno(EADDRINUSE), ErrorKind::busy);
  EXPECT_EQ(kind_of_errno(EIO), ErrorKind::io);
  EXPECT_EQ(kind_of_errno(0), ErrorKind::io);
  EXPECT_EQ(Error::from_errno("x", ENOENT).kind(), ErrorKind::not_found);
}

TEST(ErrorCodes, PassesShortagesOnAndHidesEverythingElse) {
  for (const int code : {ENOSPC, EDQUOT, ENOMEM, ENFILE})
    EXPECT_EQ(errno_of_content(Error(ErrorKind::io, "x", code)), code);
  EXPECT_EQ(errno_of_content(Error(ErrorKind::io, "x", EMFILE)), ENFILE);
  for (const int code : {0, EIO, EACCES, ENOENT, EINTR, EAGAIN})
    EXPECT_EQ(errno_of_content(Error(ErrorKind::io, "x", code)), EIO) << code;
  for (const ErrorKind kind : {ErrorKind::tampered, ErrorKind::not_found, ErrorKind::unsupported,
                               ErrorKind::invalid_argument, ErrorKind::limit})
    EXPECT_EQ(errno_of_content(Error(kind, "x")), EIO) << to_string(kind);
}

TEST(ErrorCodes, AnswersQuestionsAboutNamesByKind) {
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::not_found, "x")), ENOENT);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::invalid_argument, "x")), EINVAL);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::unsupported, "x")), EOPNOTSUPP);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::tampered, "x")), EIO);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::io, "x", EMFILE)), ENFILE);
}

TEST(ErrorCodes, OfCommandsTellWhatUsersActOn) {
  const auto status = [](ErrorKind kind) { return exit_status(Error(kind, "x")); };
  EXPECT_EQ(status(ErrorKind::io), 1);
  EXPECT_EQ(status(ErrorKind::exists), 1);
  EXPECT_EQ(status(ErrorKind::cancelled), 1);
  EXPECT_EQ(status(ErrorKind::invalid_argument), 2);
  EXPECT_EQ(status(ErrorKind::tampered), 3);
  EXPECT_EQ(status(ErrorKind::bad_secret), 4);
  EXPECT_EQ(status(ErrorKind::untrusted), 5);
  EXPECT_EQ(status(ErrorKind::malformed), 6);
  EXPECT_EQ(status(ErrorKind::unsupported), 6);
  EXPECT_EQ(status(ErrorKind::limit), 6);
  EXPECT_EQ(status(ErrorKind::not_found), 7);
  EXPECT_EQ(status(ErrorKind::busy), 8);
}

}  // namespace
}  // namespace intact
