#include "image_layers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <intact/stack/recognise.h>
#include <intact/stack/stack.h>

#include "recognised_integrity.h"

namespace intact::cli {
namespace {

using stack::Content;
using stack::IntegrityLayer;
using stack::VerityLayer;
using Contents = std::vector<Content>;

bool holds(const Contents& contents, std::string_view format) {
  return std::ranges::find(contents, format, &Content::format) != contents.end();
}

struct Found {
  std::vector<stack::AnyLayer> layers;  // from the file up
  std::optional<Error> doubt;           // why writing is refused
};

/// Finds the layers of an image from the file up. Each is opened for reading on those below.
class Finder {
 public:
  Finder(const ImageOptions& options, stack::File file, DeviceFiles& files)
      : options_(options),
        file_(std::move(file)),
        files_(files),
        stack_(file_),
        place_(options.data) {}

  Result<Found> find() &&;

 private:
  template <typename Kind>
  bool has() const {
    return std::ranges::any_of(found_.layers, [](const stack::AnyLayer& layer) {
      return std::holds_alternative<Kind>(layer);
    });
  }
  Result<Contents> look();
  Result<void> push(const Content& content, stack::AnyLayer layer);
  Result<VerityLayer> verity(const Contents& contents);
  Result<IntegrityLayer> integrity();
  Result<void> check_plain(const Content& content) const;
  Result<void> check_all_were_met() const;
  Error refuse(const Content& content, const char* advice) const;

  const ImageOptions& options_;
  stack::File file_;
  DeviceFiles& files_;  // opened once: what is probed is what is opened
  stack::Stack stack_;
  Found found_;
  std::string
      place_;  // the image, and the layers around the current one: "disk.img (in dm-verity)"
};

Result<Found> Finder::find() && {
  for (;;) {
    const Contents contents = TRY(look());
    const std::string format = contents.empty() ? std::string() : contents[0].format;
    if (format == VerityLayer::kName) {
      TRY(push(contents[0], TRY(verity(contents))));
    } else if (format == IntegrityLayer::kName) {
      TRY(push(contents[0], TRY(integrity())));
    } else {
      TRY(check_all_were_met());
      if (!contents.empty()) TRY(check_plain(contents[0]));
      return std::move(found_);
    }
  }
}

/// What the top contains. A volume whose beginning is damaged contains no known format.
Result<Contents> Finder::look() {
  const bool looks_for_verity = options_.expects_verity() && !has<VerityLayer>();
  std::shared_ptr<block::BlockTarget> where = stack_.top();
  if (looks_for_verity && !options_.hash_device.empty())
    if (const stack::File hash = TRY(files_.open(options_.hash_device)); hash != file_)
      where = hash;
  auto contents =
      stack::recognise(*where, looks_for_verity ? options_.superblock_at : std::nullopt);
  const bool is_damaged = !contents && contents.error().kind() == ErrorKind::tampered;
  return is_damaged && !looks_for_verity ? Contents() : std::move(contents);
}

Result<void> Finder::push(const Content& content, stack::AnyLayer layer) {
  TRY(stack_.open(layer, options_.data, {}, stack::Writing::never));
  found_.layers.push_back(std::move(layer));
  place_ = fmt::format("{} (in {})", options_.data, content.title);
  return {};
}

Error Finder::refuse(const Content& content, const char* advice) const {
  const std::string as_it_is =
      found_.layers.empty() ? "or pass --format raw to open the file as it is"
                            : fmt::format("or open only the outer layer with `intact {} open`",
                                          stack::name_of(found_.layers[0]));
  return {ErrorKind::unsupported,
          fmt::format("{}: {} {}, {}", place_, content.title, advice, as_it_is)};
}

/// The root hash must be given: an image cannot vouch for itself.
Result<VerityLayer> Finder::verity(const Contents& contents) {
  if (has<VerityLayer>())
    return refuse(contents[0],
                  "within dm-verity is not supported, since one root hash fits one volume; "
                  "open the inner volume by itself");
  if (options_.root_hash.empty() && options_.root_hash_file.empty()) {
    if (options_.integrity.names_algorithm() && !holds(contents, IntegrityLayer::kName))
      TRY(check_all_were_met());
    return Error(
        ErrorKind::invalid_argument,
        fmt::format("{}: a dm-verity volume (superblock at byte {}), and no root hash is given; "
                    "pass --root-hash or --root-hash-file, or --format raw to open it unverified",
                    place_, contents[0].offset));
  }
  VerityOptions options = options_;
  options.hash_offset = contents[0].offset;
  VerityLayer layer{.root = TRY(options.root())};
  TRY(options.find_parts(layer, {.below = stack_.top(), .file = file_, .files = files_}));
  return layer;
}

/// The options are for the outermost device of this kind.
Result<IntegrityLayer> Finder::integrity() {
  IntegrityOptions options;
  options.integrity.name.clear();
  if (!has<IntegrityLayer>()) options = options_.integrity;
  options.device = found_.layers.empty()
                       ? options_.data
                       : fmt::format("{}, layer {}", options_.data, found_.layers.size() + 1);
  RecognisedIntegrity found = TRY(recognised_integrity(options, stack_.top()));
  if (!found_.doubt) found_.doubt = std::move(found.doubt);
  return std::move(found.layer);
}

/// Only disk images are opened.
Result<void> Finder::check_plain(const Content& content) const {
  for (const char* packed : {"gzip", "xz", "zstd", "bzip2", "zip", "tar"})
    if (content.format == packed) return refuse(content, "is not a disk image; unpack it first");
  for (const char* volume : {"luks1", "luks2", "qcow2"})
    if (content.format == volume)
      return refuse(content, "is not supported; convert it to a raw image");
  return {};
}

/// Options that say how to check a layer must not be ignored because the layer is missing.
Result<void> Finder::check_all_were_met() const {
  if (options_.expects_verity() && !has<VerityLayer>())
    return Error(ErrorKind::malformed,
                 fmt::format("{}: no dm-verity superblock found; pass --hash-offset if it is "
                             "elsewhere",
                             options_.hash_device.empty() ? options_.data : options_.hash_device));
  if (options_.integrity.names_algorithm() && !has<IntegrityLayer>())
    return Error(ErrorKind::malformed, options_.data + ": not a dm-integrity device");
  return {};
}

}  // namespace

Result<stack::Volume> find_layers(const ImageOptions& options, block::Access access) {
  DeviceFiles files(block::Access::read_only);
  stack::Volume volume{.name = options.data, .file = TRY(files.open(options.data))};
  Found found = TRY(Finder(options, volume.file, files).find());
  volume.layers = std::move(found.layers);
  if (access == block::Access::read_only || is_read_only(volume)) return volume;
  if (found.doubt) return *std::move(found.doubt);
  // The very file that was probed, which has been locked since.
  TRY(volume.file->make_writable().context(options.data));
  return volume;
}

}  // namespace intact::cli
