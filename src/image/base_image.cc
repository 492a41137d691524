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

Result<void> for_each_chunk(ByteStream& stream, const std::function<Result<void>(ByteSpan)>& use) {
  Bytes buffer(kBuffer);
  while (const std::size_t n = TRY(stream.read(buffer))) TRY(use(ByteSpan(buffer).first(n)));
  return {};
}

/// Standard input ("-") becomes a file.
Result<UniqueFd> open_tar(const std::string& path, const oci::ImageDestination& destination,
                          const UnpackLimits& limits) {
  if (path == "-")
    return oci::spool_standard_input(limits.decompress.output_bytes,
                                     [&] { return destination.temporary_file(); });
  UniqueFd fd = TRY(open_file(path, O_RDONLY | O_NONBLOCK));  // does not wait for a FIFO's writer
  TRY(file_size(fd.get()).context(path));
  return fd;
}

/// A stream of which the first bytes have been read already.
class Continued final : public ByteStream {
 public:
  Continued(Bytes first, ByteStream& rest) : first_(std::move(first)), rest_(rest) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(first_.read(out));
    return n != 0 ? n : rest_.read(out);
  }

 private:
  MemoryStream first_;
  ByteStream& rest_;
};

/// The directory as a tar in a temporary file.
Result<UniqueFd> tar_of_directory(const std::string& directory,
                                  const oci::ImageDestination& destination,
                                  const std::optional<oci::Owner>& owner, ProgressMeter& meter) {
  UniqueFd fd = TRY(destination.temporary_file());
  meter.begin("Reading files", 0);
  TRY(oci::write_directory_tar(directory, {.clamp_mtime = {}, .owner = owner}, [&](ByteSpan bytes) {
    meter.advance(bytes.size());
    return write_all(fd.get(), bytes);
  }));
  return fd;
}

}  // namespace

Result<BaseImage> make_base_image(const oci::Reference& source, const oci::Platform& platform,
                                  oci::ImageDestination& destination, const UnpackLimits& limits,
                                  const std::optional<oci::Owner>& owner, ProgressMeter& meter) {
  const bool is_directory = source.transport == oci::Reference::Transport::rootfs;
  const UniqueFd file = is_directory ? TRY(tar_of_directory(source.path, destination, owner, meter))
                                     : TRY(open_tar(source.path, destination, limits));
  const std::uint64_t size = TRY(file_size(file.get()).context(source.path));
  meter.begin("Making a layer", size);
  MeteredStream stored(std::make_unique<FileStream>(TRY(duplicate_fd(file.get()))), meter);
  Bytes first(8);
  first.resize(TRY(read_fully(stored, first).context(source.path)));
  const oci::Compression compression = oci::detect_compression(first);
  auto all = std::make_unique<Continued>(std::move(first), stored);

  // A tar file is not ours, so it is read once: into the layer, whose copy is used from then on.
  const auto blob = TRY(destination.new_blob());
  std::optional<Digest> diff_id;
  if (compression == oci::Compression::gzip || compression == oci::Compression::zstd) {
    meter.begin("Making a layer", 2 * size);
    TRY(for_each_chunk(*all, [&](ByteSpan bytes) {
          return blob->write(bytes);
        }).context(source.path));
    const auto plain = TRY(oci::decompress(
        std::make_unique<MeteredStream>(TRY(blob->read_back()), meter), limits.decompress));
    diff_id = TRY(oci::HashingStream(*plain).finish().context(source.path));
  } else {
    const auto plain = TRY(oci::decompress(std::move(all), limits.decompress).context(source.path));
    oci::HashingStream content(*plain);
    GzipWriter gzip([&](ByteSpan bytes) { return blob->write(bytes); });
    TRY(for_each_chunk(content, [&](ByteSpan bytes) {
          return gzip.write(bytes);
        }).context(source.path));
    TRY(gzip.finish());
    diff_id = TRY(content.finish().context(source.path));
  }
  // Our own tar of a directory needs no inflating.
  auto again = std::make_shared<std::unique_ptr<ByteStream>>(
      is_directory
          ? std::unique_ptr<ByteStream>(std::make_unique<FileStream>(TRY(duplicate_fd(file.get()))))
          : TRY(blob->read_back()));
  const oci::Descriptor layer = TRY(blob->finish(
      compression == oci::Compression::zstd ? oci::kLayerZstdType : oci::kLayerGzipType));

  BaseImage image;
  const Bytes config = oci::make_config(platform, {*diff_id});
  image.config = TRY(oci::parse_config(config));
  image.manifest.media_type = oci::kManifestType;
  image.manifest.config = oci::describe(oci::kConfigType, config);
  image.manifest.layers.push_back(layer);
  image.layer_bytes = is_directory ? size : layer.size;
  image.open_layer = [again]() -> Result<std::unique_ptr<ByteStream>> { return std::move(*again); };
  return image;
}

}  // namespace intact::image
