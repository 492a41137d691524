#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/composefs/dump.h>
#include <intact/composefs/read.h>
#include <intact/fsverity/tree.h>

namespace intact::composefs {
namespace {

constexpr std::uint64_t kMaxInMemory = std::uint64_t{1} << 30;  // bytes

std::string list_line(const std::string& path, const tree::Entry& entry) {
  std::string line;
  append_escaped(line, path, Escape::path);
  const tree::Inode& inode = *entry.inode;
  if (inode.attributes.is_directory()) {
    line += "/\t";
  } else if (inode.attributes.is_symlink() && !entry.hard_link) {
    line += "\t-> ";
    append_escaped(line, inode.payload, Escape::standard);
  } else if (inode.attributes.is_regular() && !inode.payload.empty() && !entry.hard_link) {
    line += "\t@ ";
    append_escaped(line, inode.payload, Escape::standard);
  }
  return line + "\n";
}

}  // namespace

Result<void> write_list(const tree::Tree& tree,
                        const std::function<Result<void>(std::string_view)>& sink) {
  return tree.walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    return path == "/" ? Result<void>() : sink(list_line(path, entry));
  });
}

void collect_payloads(const tree::Tree& tree, std::set<std::string>& payloads) {
  static_cast<void>(tree.walk([&](const std::string&, const tree::Entry& entry) -> Result<void> {
    const tree::Inode& inode = *entry.inode;
    if (inode.attributes.is_regular() && !inode.payload.empty()) payloads.insert(inode.payload);
    return {};
  }));
}

bool is_missing(int objects, const std::string& payload) {
  const std::size_t begin = std::min(payload.find_first_not_of('/'), payload.size());
  struct stat st;
  return ::fstatat(objects, payload.c_str() + begin, &st, AT_EMPTY_PATH) != 0;
}

Result<std::shared_ptr<const ByteSource>> open_image_file(UniqueFd fd) {
  const std::uint64_t size = TRY(file_size(fd.get()));
  if (size > kMaxInMemory)
    return std::shared_ptr<const ByteSource>(TRY(FileSource::open(std::move(fd))));
  Bytes bytes(static_cast<std::size_t>(size));
  TRY(pread_exact(fd.get(), 0, bytes));
  return std::shared_ptr<const ByteSource>(std::make_shared<MemorySource>(std::move(bytes)));
}

Result<std::shared_ptr<const ByteSource>> read_image_stream(int fd) {
  return std::shared_ptr<const ByteSource>(
      std::make_shared<MemorySource>(TRY(read_fd(fd, kMaxInMemory))));
}

Result<Digest> digest_of_image(const ByteSource& image) {
  constexpr std::uint64_t kPiece = 1 << 20;  // bytes
  fsverity::TreeBuilder builder;
  Bytes buffer(kPiece);
  for (std::uint64_t offset = 0; offset < image.size();) {
    const auto piece = MutableByteSpan(buffer).first(
        static_cast<std::size_t>(std::min(kPiece, image.size() - offset)));
    TRY(image.read(offset, piece));
    builder.update(piece);
    offset += piece.size();
  }
  return builder.finish().digest;
}

}  // namespace intact::composefs
