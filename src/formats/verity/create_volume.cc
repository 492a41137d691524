#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/base/file.h>
#include <intact/base/grown_files.h>
#include <intact/base/output_file.h>
#include <intact/block/device_files.h>
#include <intact/verity/manage.h>

namespace intact::verity {
namespace {

using block::Access;
using block::DeviceFiles;

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

/// Whether the data are compressed, by their first bytes: a frequent mistake.
Result<bool> is_compressed(const ByteSource& data) {
  Bytes head(std::min<std::uint64_t>(data.size(), 6));
  TRY(data.read(0, head));
  for (const std::string_view magic : {"\x1f\x8b", "\x28\xb5\x2f\xfd",
                                       "\xfd"
                                       "7zXZ"})
    if (as_text(head).starts_with(magic)) return true;
  return false;
}

/// Opens, creates or extends the files that are written, and returns the devices on them.
Result<Devices> open_devices(const VolumeFiles& files, UniqueFd data, const Layout& layout,
                             GrownFiles& grown) {
  const int hash = TRY(grown.grow(files.hash, TRY(needed_sizes(layout, 0, false)).hash));
  int fec = -1;
  if (layout.fec) {
    fec = TRY(grown.grow(files.fec, 0));
    const auto sizes =
        TRY(needed_sizes(layout, TRY(file_size(hash).context(files.hash)), same_file(fec, hash)));
    TRY(grown.grow(files.fec, sizes.fec));
  }
  DeviceFiles written(Access::read_write);
  Devices devices{.data = {}, .hash = TRY(written.open(files.hash, TRY(duplicate_fd(hash))))};
  if (layout.fec) devices.fec = TRY(written.open(files.fec, TRY(duplicate_fd(fec))));
  // Data in a file of their own are opened for reading only.
  if (same_file(data.get(), hash))
    devices.data = devices.hash;
  else if (layout.fec && same_file(data.get(), fec))
    devices.data = devices.fec;
  else
    devices.data = TRY(DeviceFiles(Access::read_only).open(files.data, std::move(data)));
  std::map<std::string, std::shared_ptr<block::Device>> used = {{files.data, devices.data},
                                                                {files.hash, devices.hash}};
  if (layout.fec) used.emplace(files.fec, devices.fec);
  TRY(block::check_apart(used));
  return devices;
}

/// The files that get the root hash and its signature. They are made before the work begins, so
/// that a path that cannot be written to costs no time, and named when the volume is complete.
class RootFiles {
 public:
  static Result<RootFiles> create(const VolumeFiles& files) {
    RootFiles made;
    if (!files.root_hash.empty())
      made.hash_.emplace(TRY(create_one("--root-hash-file", files.root_hash, files)));
    if (!files.signature.empty())
      made.signature_.emplace(TRY(create_one("--root-hash-signature", files.signature, files)));
    if (made.hash_ && made.signature_ && same_place(files.root_hash, files.signature))
      return wrong("--root-hash-signature: also the file of --root-hash-file; name another file");
    return made;
  }

  Result<void> write(ByteSpan root, const std::function<Result<Bytes>(ByteSpan root)>& sign) {
    if (hash_) TRY(hash_->write(as_bytes(to_hex(root))));
    if (signature_) TRY(signature_->write(TRY(sign(root))));
    return {};
  }

  Result<void> publish() {
    if (hash_) TRY(hash_->publish());
    if (signature_) TRY(signature_->publish());
    return {};
  }

 private:
  static Result<OutputFile> create_one(const char* option, const std::string& path,
                                       const VolumeFiles& files) {
    if (path == "-")
      return wrong(std::string(option) + " -: stdout is for the report; name a file");
    for (const std::string* other : {&files.data, &files.hash, &files.fec})
      if (!other->empty() && same_place(path, *other))
        return wrong(fmt::format("{}: {} is part of the volume; name another file", option, path));
    return OutputFile::create(path, OutputFile::Existing::replace, 0644);
  }

  std::optional<OutputFile> hash_;
  std::optional<OutputFile> signature_;
};

}  // namespace

Result<std::uint64_t> blocks_to_protect(const ByteSource& data, std::uint32_t block_size,
                                        std::optional<std::uint64_t> tree_offset) {
  const std::uint64_t size = data.size();
  if (tree_offset) {
    const std::uint64_t blocks = std::min(*tree_offset, size) / block_size;
    if (blocks > 0) return blocks;
    return wrong(
        fmt::format("DATA and HASH are the same file; pass --hash-offset {} to put the "
                    "hash tree after the data",
                    align_up<std::uint64_t>(size, block_size)));
  }
  const std::uint64_t rest = size % block_size;
  if (rest == 0) return size / block_size;
  return wrong(fmt::format(
      "its {} bytes are not a multiple of the data block size {}{}; lengthen it (`truncate -s "
      "%{} FILE`), or pass --data-blocks {} to leave the last {} bytes unprotected",
      size, block_size,
      TRY(is_compressed(data))
          ? ", and it is compressed (dm-verity protects disk images: unpack it first)"
          : "",
      block_size, size / block_size, rest));
}

Result<NewVolume> create_volume(const VolumeFiles& files, UniqueFd data, const Layout& layout,
                                const Uuid& uuid,
                                const std::function<Result<Bytes>(ByteSpan root)>& sign,
                                const Progress& progress) {
  RootFiles root_files = TRY(RootFiles::create(files));
  GrownFiles grown;
  NewVolume volume;
  volume.devices = TRY(open_devices(files, std::move(data), layout, grown));
  volume.root = TRY(format(layout, volume.devices, uuid, 0, progress));
  TRY(root_files.write(volume.root, sign));
  TRY(grown.publish());
  TRY(root_files.publish());
  grown.keep();
  return volume;
}

}  // namespace intact::verity
