#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <intact/tree/attributes.h>

namespace intact::oci {

enum class TarType {
  regular,
  hard_link,
  symlink,
  character_device,
  block_device,
  directory,
  fifo,
};

/// One file of a tar archive, whatever dialect described it.
struct TarEntry {
  TarType type = TarType::regular;
  std::string path;        ///< as in the archive: may be absolute, "./x", "x/"; never empty, no NUL
  std::string link;        ///< symlink: target; hard link: path of the other name; else empty
  std::uint32_t mode = 0;  ///< permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< bytes of content; 0 for all but regular files
  tree::Timestamp mtime;
  std::uint32_t rdev = 0;           ///< makedev(3) of devices, else 0
  std::vector<tree::Xattr> xattrs;  ///< names are unique

  bool has_acl_text = false;         ///< a textual ACL (SCHILY.acl.*) was there and is not kept
  std::uint64_t header_offset = 0;   ///< of its first header in the archive, in bytes
  std::uint64_t content_offset = 0;  ///< of its content in the archive, in bytes
};

}  // namespace intact::oci
