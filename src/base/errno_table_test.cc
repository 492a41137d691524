#include <cerrno>

#include <gtest/gtest.h>

#include <intact/base/errno_table.h>

namespace intact {
namespace {

TEST(ErrnoTable, TurnsSystemErrorsIntoKinds) {
  EXPECT_EQ(kind_of_errno(ENOENT), ErrorKind::not_found);
  EXPECT_EQ(kind_of_errno(EEXIST), ErrorKind::exists);
  EXPECT_EQ(kind_of_errno(EBUSY), ErrorKind::busy);
  EXPECT_EQ(kind_of_errno(EADDRINUSE), ErrorKind::busy);
  EXPECT_EQ(kind_of_errno(EIO), ErrorKind::io);
  EXPECT_EQ(kind_of_errno(0), ErrorKind::io);
  EXPECT_EQ(Error::from_errno("x", ENOENT).kind(), ErrorKind::not_found);
}

TEST(ErrnoTable, PassesShortagesOnAndHidesEverythingElse) {
  for (const int code : {ENOSPC, EDQUOT, ENOMEM, ENFILE})
    EXPECT_EQ(errno_of_content(Error(ErrorKind::io, "x", code)), code);
  EXPECT_EQ(errno_of_content(Error(ErrorKind::io, "x", EMFILE)), ENFILE);
  for (const int code : {0, EIO, EACCES, ENOENT, EINTR, EAGAIN})
    EXPECT_EQ(errno_of_content(Error(ErrorKind::io, "x", code)), EIO) << code;
  for (const ErrorKind kind : {ErrorKind::tampered, ErrorKind::not_found, ErrorKind::unsupported,
                               ErrorKind::invalid_argument, ErrorKind::limit})
    EXPECT_EQ(errno_of_content(Error(kind, "x")), EIO) << to_string(kind);
}

TEST(ErrnoTable, AnswersQuestionsAboutNamesByKind) {
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::not_found, "x")), ENOENT);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::invalid_argument, "x")), EINVAL);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::unsupported, "x")), EOPNOTSUPP);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::tampered, "x")), EIO);
  EXPECT_EQ(errno_of_metadata(Error(ErrorKind::io, "x", EMFILE)), ENFILE);
}

}  // namespace
}  // namespace intact
