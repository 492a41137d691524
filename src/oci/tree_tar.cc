#include <unordered_map>

#include <intact/oci/tree_tar.h>

#include "buffered_sink.h"
#include "tree_entry.h"

namespace intact::oci {

Result<void> check_layer_name(const std::string& path, std::string_view name) {
  if (!name.starts_with(".wh.")) return {};
  return Error(
      ErrorKind::unsupported,
      path + ": a layer cannot contain a name that begins with '.wh.', which means a whiteout");
}

Result<TarEntry> tar_entry_of(const std::string& path, const tree::Attributes& attributes) {
  TarEntry entry;
  switch (attributes.type()) {
    case S_IFREG:
      entry.type = TarType::regular;
      entry.size = attributes.size;
      break;
    case S_IFDIR:
      entry.type = TarType::directory;
      break;
    case S_IFLNK:
      entry.type = TarType::symlink;
      break;
    case S_IFCHR:
      entry.type = TarType::character_device;
      entry.rdev = attributes.rdev;
      break;
    case S_IFBLK:
      entry.type = TarType::block_device;
      entry.rdev = attributes.rdev;
      break;
    case S_IFIFO:
      entry.type = TarType::fifo;
      break;
    default:
      return Error(ErrorKind::unsupported, path + ": a tar cannot contain a " +
                                               std::string(tree::type_name(attributes.mode)));
  }
  // "/" becomes "./", "/a/b" becomes "a/b".
  entry.path = path == "/" ? "./" : path.substr(1);
  entry.mode = attributes.mode & 07777;
  entry.uid = attributes.uid;
  entry.gid = attributes.gid;
  entry.mtime = attributes.mtime;
  return entry;
}

Result<void> write_stream(TarWriter& tar, ByteStream& stream, std::uint64_t size) {
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, 256 * 1024)));
  while (size != 0) {
    const std::size_t n = TRY(stream.read(MutableByteSpan(piece).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(size, piece.size())))));
    if (n == 0) return Error(ErrorKind::io, "the file is shorter than it should be");
    TRY(tar.write_content(ByteSpan(piece).first(n)));
    size -= n;
  }
  return {};
}

Result<void> write_tree_tar(const tree::Tree& tree, const ContentOpener& open_content,
                            const ByteSink& sink) {
  BufferedSink out(sink);
  TarWriter tar([&](ByteSpan bytes) { return out.write(bytes); });
  // Path in the archive of each inode that may have more names than one.
  std::unordered_map<const tree::Inode*, std::string> first_names;
  TRY(tree.walk([&](const std::string& path, const tree::Entry& named) -> Result<void> {
    const tree::Inode& inode = *named.inode;
    TRY(check_layer_name(path, std::string_view(path).substr(path.rfind('/') + 1)));
    TarEntry entry = TRY(tar_entry_of(path, inode.attributes));
    if (!inode.attributes.is_directory() && named.inode.use_count() > 1) {
      const auto [first, is_first] = first_names.emplace(&inode, entry.path);
      if (!is_first) {
        entry.type = TarType::hard_link;
        entry.link = first->second;
        entry.size = 0;
        return tar.add(entry);
      }
    }
    entry.xattrs = inode.xattrs;
    if (entry.type == TarType::symlink) entry.link = inode.payload;
    TRY(tar.add(entry));
    if (entry.size == 0) return {};
    if (!inode.content.empty()) return tar.write_content(as_bytes(inode.content));
    const auto stream = TRY(open_content(path, inode));
    return write_stream(tar, *stream, entry.size).context(path);
  }));
  TRY(tar.finish());
  return out.flush();
}

}  // namespace intact::oci
