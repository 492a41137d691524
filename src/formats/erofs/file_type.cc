#include <sys/stat.h>

#include <intact/erofs/format.h>

namespace intact::erofs {

FileType file_type_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileType::regular;
    case S_IFDIR:
      return FileType::directory;
    case S_IFCHR:
      return FileType::character_device;
    case S_IFBLK:
      return FileType::block_device;
    case S_IFIFO:
      return FileType::fifo;
    case S_IFSOCK:
      return FileType::socket;
    case S_IFLNK:
      return FileType::symlink;
    default:
      return FileType::unknown;
  }
}

std::uint32_t mode_type_of(FileType type) {
  switch (type) {
    case FileType::regular:
      return S_IFREG;
    case FileType::directory:
      return S_IFDIR;
    case FileType::character_device:
      return S_IFCHR;
    case FileType::block_device:
      return S_IFBLK;
    case FileType::fifo:
      return S_IFIFO;
    case FileType::socket:
      return S_IFSOCK;
    case FileType::symlink:
      return S_IFLNK;
    case FileType::unknown:
      break;
  }
  return 0;
}

}  // namespace intact::erofs
