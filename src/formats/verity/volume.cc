#include <optional>
#include <utility>

#include <intact/verity/volume.h>

#include "build.h"

namespace intact::verity {

Result<Superblock> read_superblock(const block::Device& hash, std::uint64_t hash_offset) {
  RawSuperblock raw;
  if (hash_offset > hash.size() || hash.size() - hash_offset < sizeof raw)
    return Error(ErrorKind::malformed,
                 "not a dm-verity hash device, or --hash-offset is wrong (the file ends before a "
                 "superblock)");
  TRY(hash.read(hash_offset, MutableByteSpan(reinterpret_cast<std::byte*>(&raw), sizeof raw)));
  return parse_superblock(raw);
}

Result<Bytes> format(const Layout& layout, const Devices& devices, const Uuid& uuid,
                     unsigned threads, const Progress& progress) {
  TRY(check_layout(layout, devices));
  // An incomplete hash area must not look complete: it gets its superblock last.
  if (layout.superblock) TRY(devices.hash->write(layout.hash_offset, Bytes(kSuperblockSize)));
  Bytes root = TRY(build_hash_tree(layout.params, *devices.data, *devices.hash,
                                   TRY(hash_area_offset(layout)), threads, progress));
  if (layout.fec) {
    const auto coverage = TRY(fec_coverage(layout, devices));
    TRY(encode_fec(TRY(fec_geometry(layout, *coverage)), *coverage, *devices.fec,
                   layout.fec->offset, threads, progress));
    TRY(devices.fec->flush());
  }
  TRY(devices.hash->flush());
  if (layout.superblock) {
    const RawSuperblock raw = encode({.params = layout.params, .uuid = uuid});
    TRY(devices.hash->write(layout.hash_offset, bytes_of(raw)));
    TRY(devices.hash->flush());
  }
  return root;
}

Result<std::unique_ptr<VerityTarget>> open(const Layout& layout, const Devices& devices,
                                           ByteSpan root, VerityTarget::Options options) {
  // Wrong numbers come from the file if there is a superblock, and from the caller otherwise.
  TRY(check_layout(layout, devices,
                   layout.superblock ? ErrorKind::malformed : ErrorKind::invalid_argument));
  std::optional<FecDecoder> decoder;
  if (layout.fec) {
    const auto coverage = TRY(fec_coverage(layout, devices));
    decoder = TRY(FecDecoder::create(TRY(fec_geometry(layout, *coverage)), coverage, devices.fec,
                                     layout.fec->offset));
  }
  return VerityTarget::open(
      layout.params, root,
      {.data = devices.data, .hash = devices.hash, .hash_offset = TRY(hash_area_offset(layout))},
      std::move(decoder), std::move(options));
}

}  // namespace intact::verity
