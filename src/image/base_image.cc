#include "base_image.h"

#include <cerrno>
#include <optional>

#include <intact/base/file.h>
#include <intact/crypto/hash.h>
#include <intact/oci/config.h>
#include <intact/oci/hashing_stream.h>
#include <intact/oci/media_types.h>
#include <intact/oci/spool.h>
#include <intact/oci/tree_tar.h>

#include "gzip_writer.h"

namespace intact::image {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;

Result<UniqueFd> duplicate(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return Error::from_errno("dup", errno);
  return copy;
}

Result<void> for_each_chunk(ByteStream& stream, const std::function<Result<void>(ByteSpan)>& use) {
  Bytes buffer(kBuffer);
  while (const std::size_t n = TRY(stream.read(buffer))) TRY(use(ByteSpan(buffer).first(n)));
  return {};
}

/// A tar is read twice, so it must be a file. Standard input ("-") becomes one.
Result<UniqueFd> open_tar(const std::string& path, const std::string& scratch,
                          const UnpackLimits& limits) {
  if (path == "-") return oci::spool_standard_input(scratch, limits.decompress.output_bytes);
  UniqueFd fd = TRY(open_file(path, O_RDONLY | O_NONBLOCK));
  TRY(file_size(fd.get()).context(path));
  return fd;
}

/// The directory as a tar in a temporary file.
Result<UniqueFd> tar_of_directory(const std::string& directory, const std::string& scratch,
                                  ProgressMeter& meter) {
  UniqueFd fd = TRY(oci::unnamed_file(scratch));
  meter.begin("Reading files", 0);
  TRY(oci::write_directory_tar(directory, {}, [&](ByteSpan bytes) {
    meter.advance(bytes.size());
    return write_all(fd.get(), bytes);
  }));
  return fd;
}

}  // namespace

Result<BaseImage> make_base_image(const oci::Reference& source, const oci::Platform& platform,
                                  oci::LayoutWriter& layout, const std::string& scratch,
                                  const UnpackLimits& limits, ProgressMeter& meter) {
  const bool is_directory = source.transport == oci::Reference::Transport::rootfs;
  auto file =
      std::make_shared<UniqueFd>(is_directory ? TRY(tar_of_directory(source.path, scratch, meter))
                                              : TRY(open_tar(source.path, scratch, limits)));
  const std::uint64_t size = TRY(file_size(file->get()).context(source.path));
  auto open_layer = [file]() -> Result<std::unique_ptr<ByteStream>> {
    return std::unique_ptr<ByteStream>(std::make_unique<FileStream>(TRY(duplicate(*file))));
  };

  const auto open_metered = [&]() -> Result<std::unique_ptr<ByteStream>> {
    return std::make_unique<MeteredStream>(TRY(open_layer()), meter);
  };
  meter.begin("Making a layer", size);
  oci::Compression compression;
  auto plain = TRY(
      oci::decompress(TRY(open_metered()), limits.decompress, &compression).context(source.path));
  oci::HashingStream content(*plain);
  oci::LayoutBlob blob = TRY(layout.new_blob());
  if (compression == oci::Compression::gzip || compression == oci::Compression::zstd) {
    // Read twice: as it is, and for the digest of its content.
    meter.begin("Making a layer", 2 * size);
    auto stored = TRY(open_metered());
    TRY(for_each_chunk(*stored, [&](ByteSpan bytes) {
          return blob.write(bytes);
        }).context(source.path));
  } else {
    GzipWriter gzip([&](ByteSpan bytes) { return blob.write(bytes); });
    TRY(for_each_chunk(content, [&](ByteSpan bytes) {
          return gzip.write(bytes);
        }).context(source.path));
    TRY(gzip.finish());
  }
  const Digest diff_id = TRY(content.finish().context(source.path));
  const oci::Descriptor layer = TRY(blob.finish(
      compression == oci::Compression::zstd ? oci::kLayerZstdType : oci::kLayerGzipType));

  BaseImage image;
  const Bytes config = oci::make_config(platform, {diff_id});
  image.config = TRY(oci::parse_config(config));
  image.manifest.media_type = oci::kManifestType;
  image.manifest.config = oci::describe(oci::kConfigType, config);
  image.manifest.layers.push_back(layer);
  image.open_layer = std::move(open_layer);
  image.layer_bytes = size;
  return image;
}

}  // namespace intact::image
