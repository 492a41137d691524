#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/oci/tree_tar.h>

#include "buffered_sink.h"
#include "layout_writer.h"

namespace intact::oci {
namespace {

/// Names in `directory` that begin with no dot, sorted.
Result<std::vector<std::string>> names_in(const std::string& directory) {
  const UniqueFd fd = TRY(open_file(directory, O_RDONLY | O_DIRECTORY));
  std::vector<std::string> names = TRY(list_names(fd.get()).context(directory));
  std::erase_if(names, [](const std::string& name) { return name.starts_with('.'); });
  return names;
}

Result<void> add_directory(TarWriter& tar, const std::string& path) {
  TarEntry entry;
  entry.type = TarType::directory;
  entry.path = path;
  entry.mode = 0755;
  return tar.add(entry);
}

Result<void> add_file(TarWriter& tar, const std::string& directory, const std::string& path) {
  UniqueFd fd = TRY(open_file(directory + "/" + path, O_RDONLY | O_NONBLOCK));
  TarEntry entry;
  entry.path = path;
  entry.mode = 0644;
  entry.size = TRY(file_size(fd.get()).context(path));
  TRY(tar.add(entry));
  FileStream stream(std::move(fd), 0, entry.size);
  Bytes piece(256 * 1024);
  while (const std::size_t n = TRY(stream.read(piece)))
    TRY(tar.write_content(ByteSpan(piece).first(n)));
  return {};
}

Result<void> write_layout(const std::string& directory, TarWriter& tar) {
  TRY(add_directory(tar, "blobs"));
  for (const std::string& algorithm : TRY(names_in(directory + "/blobs"))) {
    const std::string folder = "blobs/" + algorithm;
    TRY(add_directory(tar, folder));
    for (const std::string& name : TRY(names_in(fmt::format("{}/{}", directory, folder))))
      TRY(add_file(tar, directory, fmt::format("{}/{}", folder, name)));
  }
  TRY(add_file(tar, directory, "index.json"));
  TRY(add_file(tar, directory, "oci-layout"));
  return tar.finish();
}

}  // namespace

Result<void> write_layout_archive(const std::string& directory, const std::string& file) {
  OutputFile output =
      file == "-"
          ? TRY(OutputFile::standard_output())
          : TRY(OutputFile::create(file, OutputFile::Existing::refuse, content_file_mode()));
  BufferedSink out([&](ByteSpan bytes) { return output.write(bytes); });
  TarWriter tar([&](ByteSpan bytes) { return out.write(bytes); });
  TRY(write_layout(directory, tar));
  TRY(out.flush());
  return output.publish();
}

}  // namespace intact::oci
