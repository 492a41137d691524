#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>

#include <intact/json/json.h>
#include <intact/stack/verity_volume.h>

namespace intact::stack {
namespace {

using block::FileTarget;
using verity::OnCorruption;

constexpr std::uint64_t kMostDescriptors = 1 << 20;

Error malformed(const char* what) {
  return {ErrorKind::malformed, std::string("stack description: ") + what};
}

/// Descriptors for another process: one for each file, however often it is used.
class Descriptors {
 public:
  Result<int> add(const File& file) {
    const auto known = std::ranges::find(files_, file);
    if (known != files_.end()) return fds_[known - files_.begin()].get();
    UniqueFd fd(::fcntl(file->fd(), F_DUPFD, kFirstDescriptor));
    if (!fd) return Error::from_errno("cannot pass a descriptor on", errno);
    files_.push_back(file);
    fds_.push_back(std::move(fd));
    return fds_.back().get();
  }
  std::vector<UniqueFd> take() { return std::move(fds_); }

 private:
  std::vector<File> files_;
  std::vector<UniqueFd> fds_;
};

/// The same from the other end.
class Files {
 public:
  Result<File> take(std::uint64_t number) {
    if (number < kFirstDescriptor || number > kMostDescriptors) return malformed("descriptor");
    const int fd = static_cast<int>(number);
    const auto known = std::ranges::find(opened_, fd, &std::pair<int, File>::first);
    if (known != opened_.end()) return known->second;
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return malformed("no such descriptor");
    File file = TRY(FileTarget::create(UniqueFd(fd), block::Access::read_only));
    opened_.emplace_back(fd, file);
    return file;
  }

 private:
  std::vector<std::pair<int, File>> opened_;
};

Result<Bytes> require_bytes(const Json& json, const char* key) {
  return from_hex(TRY(require_string(json, key))).context(key);
}

template <typename Number>
Result<Number> require_number(const Json& json, const char* key) {
  const std::uint64_t value = TRY(require_uint(json, key));
  if (!std::in_range<Number>(value)) return malformed(key);
  return static_cast<Number>(value);
}

Result<bool> require_flag(const Json& json, const char* key) {
  return TRY(require_uint(json, key)) != 0;
}

Result<verity::Params> params_from(const Json& json) {
  verity::Params params{
      .hash_type = static_cast<verity::HashType>(TRY(require_number<std::uint32_t>(json, "type"))),
      .hash = TRY(require_string(json, "algorithm")),
      .data_block_size = TRY(require_number<std::uint32_t>(json, "data_block_size")),
      .hash_block_size = TRY(require_number<std::uint32_t>(json, "hash_block_size")),
      .data_blocks = TRY(require_uint(json, "data_blocks")),
      .salt = TRY(require_bytes(json, "salt"))};
  TRY(verity::check_params(params));
  return params;
}

}  // namespace

Result<Handover> hand_over(const VerityVolume& volume) {
  Descriptors descriptors;
  const verity::Params& params = volume.layout.params;
  Json json = {{"name", volume.name},
               {"root", to_hex(volume.root)},
               {"type", static_cast<std::uint32_t>(params.hash_type)},
               {"algorithm", params.hash},
               {"data_block_size", params.data_block_size},
               {"hash_block_size", params.hash_block_size},
               {"data_blocks", params.data_blocks},
               {"salt", to_hex(params.salt)},
               {"hash_offset", volume.layout.hash_offset},
               {"superblock", volume.layout.superblock ? 1 : 0},
               {"on_corruption", static_cast<unsigned>(volume.on_corruption)},
               {"ignore_zero_blocks", volume.ignore_zero_blocks ? 1 : 0},
               {"check_at_most_once", volume.check_at_most_once ? 1 : 0},
               {"data", TRY(descriptors.add(volume.data))},
               {"hash", TRY(descriptors.add(volume.hash))}};
  if (volume.layout.fec)
    json["fec"] = {{"device", TRY(descriptors.add(volume.fec))},
                   {"roots", volume.layout.fec->roots},
                   {"offset", volume.layout.fec->offset}};
  return Handover{.description = to_text(Json{{"verity", std::move(json)}}),
                  .descriptors = descriptors.take()};
}

Result<VerityVolume> take_over(std::string_view description) {
  const Json document = TRY(parse_json(description));
  const Json& json = *TRY(require_object(document, "verity"));
  const auto on_corruption = TRY(require_uint(json, "on_corruption"));
  if (on_corruption > static_cast<unsigned>(OnCorruption::stop)) return malformed("on_corruption");
  Files files;
  VerityVolume volume{.layout = {.params = TRY(params_from(json)),
                                 .hash_offset = TRY(require_uint(json, "hash_offset")),
                                 .superblock = TRY(require_flag(json, "superblock"))},
                      .root = TRY(require_bytes(json, "root")),
                      .data = TRY(files.take(TRY(require_uint(json, "data")))),
                      .hash = TRY(files.take(TRY(require_uint(json, "hash")))),
                      .name = TRY(require_string(json, "name")),
                      .on_corruption = static_cast<OnCorruption>(on_corruption),
                      .ignore_zero_blocks = TRY(require_flag(json, "ignore_zero_blocks")),
                      .check_at_most_once = TRY(require_flag(json, "check_at_most_once"))};
  if (const Json* const fec = TRY(optional_object(json, "fec"))) {
    volume.fec = TRY(files.take(TRY(require_uint(*fec, "device"))));
    volume.layout.fec = verity::Layout::Fec{.roots = TRY(require_number<unsigned>(*fec, "roots")),
                                            .offset = TRY(require_uint(*fec, "offset"))};
  }
  return volume;
}

}  // namespace intact::stack
