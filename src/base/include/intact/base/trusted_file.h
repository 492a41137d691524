#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// Who may own a file whose content is believed.
enum class TrustedOwner {
  root_or_self,  ///< root or the effective user
  anyone,        ///< also the owner of the file itself: for a file that the user named
};

/// When a file that is missing counts as removed by somebody.
enum class Removable {
  from_its_directory,  ///< if others can write to the directory that lacks it
  anywhere,            ///< also if others can write to, or own, any directory of its path
};

/// Opens a regular file for reading whose content will be believed: a trust policy, a trusted key.
/// The path is walked one component at a time beneath open directories, symbolic links included,
/// and everything on the way is checked, from `/` down to the file that was opened:
///   - its owner is root or the effective user; with TrustedOwner::anyone also the file's owner;
///   - group and others cannot write to it. The private group of an ordinary user (same name, no
///     other members) does not count as others. A directory that others can write to is accepted
///     if it is sticky: nobody can replace what somebody else has there. A file directly in such a
///     directory must have one name only, or it could be an old file that was linked there.
///   - what a FUSE file system has counts as its user's, since its server says who owns what.
/// In a user namespace into which root is not mapped, files of unmapped users that look like the
/// owner of `/` count as root's: the kernel does not tell them apart.
/// Errors: untrusted when a check fails; not_found; invalid_argument for something other than a
/// regular file. A missing file is untrusted as well where others may have removed it. Never blocks
/// on a FIFO.
Result<UniqueFd> open_trusted_file(const std::string& path, TrustedOwner owner,
                                   Removable removable = Removable::from_its_directory);

/// The same for a directory in which such files are written, with TrustedOwner::root_or_self. It is
/// open for reading.
Result<UniqueFd> open_trusted_directory(const std::string& path);

}  // namespace intact
