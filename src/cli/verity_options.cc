#include "verity_options.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/pkcs7.h>

#include "peer_commands.h"
#include "verity_files.h"

namespace intact::cli {
namespace {

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

/// In the form of cryptsetup's debug messages. What cannot be is refused elsewhere.
void say_layout(const verity::Layout& layout) {
  const auto geometry = verity::Geometry::create(layout.params);
  const auto area = verity::hash_area_offset(layout);
  if (!geometry || !area) return;
  fmt::print(stderr, "# {} data blocks of {} bytes.\n", geometry->data_blocks(),
             layout.params.data_block_size);
  if (layout.superblock) fmt::print(stderr, "# Superblock at byte {}.\n", layout.hash_offset);
  fmt::print(stderr, "# {} hash blocks of {} bytes, in {} levels, from byte {}.\n",
             geometry->hash_blocks(), layout.params.hash_block_size, geometry->levels().size(),
             *area);
  if (layout.fec)
    fmt::print(stderr, "# Parity from byte {}, {} bytes for each codeword.\n", layout.fec->offset,
               layout.fec->roots);
}

constexpr std::uint64_t kMaxRootHashFile = 4096;  // bytes

/// Whether the owner of one of the certificates has signed the root hash, as the kernel wants it:
/// its text in lower case, without newline.
Result<void> check_signature(ByteSpan root, const std::string& file,
                             const std::vector<std::string>& certificate_files) {
  std::vector<crypto::Certificate> certificates;
  for (const std::string& path : certificate_files) {
    const Bytes text = TRY(read_file(path, crypto::kMaxPemSize));
    auto some = TRY(crypto::Certificate::parse_all(text).context(path));
    std::ranges::move(some, std::back_inserter(certificates));
  }
  const Bytes signature = TRY(read_file(file, crypto::kMaxPkcs7Size));
  return crypto::verify_pkcs7(signature, as_bytes(to_hex(root)), certificates).context(file);
}

}  // namespace

CLI::App* add_verity_command(Program& program, CLI::App* group, const char* name,
                             const char* description) {
  return add_peer_command(program, group, name, description, "--help");
}

void VerityOptions::add_talk(CLI::App* command) {
  command->add_flag("--debug", debug, "Say on stderr where the parts of the volume lie");
}

void VerityOptions::add_devices(CLI::App* command, bool with_root_hash) {
  command->add_option("DATA", data, "Device or file with the data")->type_name("FILE")->required();
  command->add_option("HASH", hash_device, "Device or file with the hash tree; may be DATA again")
      ->type_name("FILE")
      ->required();
  if (with_root_hash)
    command->add_option("ROOT", root_hash, "Root hash, in hexadecimal")->type_name("HEX");
  command
      ->add_option(
          "--root-hash-file", root_hash_file,
          with_root_hash ? "Read the root hash from this file" : "Write the root hash to this file")
      ->type_name("FILE");
}

void VerityOptions::add_format(CLI::App* command) {
  command->add_option("-h,--hash", hash, "Hash function")->type_name("NAME");
  command->add_option("--format", hash_type, "Hash type: 1 normal, 0 original Chrome OS")
      ->type_name("N");
  command->add_option("--data-block-size", data_block_size, "Block size of the data in bytes")
      ->type_name("BYTES");
  command->add_option("--hash-block-size", hash_block_size, "Block size of the hash tree in bytes")
      ->type_name("BYTES");
  command->add_option("--data-blocks", data_blocks, "How many data blocks to protect; 0: all")
      ->type_name("N");
  command->add_option("-s,--salt", salt, "Salt in hexadecimal, '-' for none; else 32 random bytes")
      ->type_name("HEX");
}

void VerityOptions::add_placement(CLI::App* command) {
  command->add_option("--hash-offset", hash_offset, "Where on HASH the superblock or tree begins")
      ->type_name("BYTES");
  command->add_flag("--no-superblock", no_superblock,
                    "There is none: all parameters stand on the command line");
  add_fec(command);
}

void VerityOptions::add_fec(CLI::App* command) {
  command->add_option("--fec-device", fec_device, "Device or file with error correction data")
      ->type_name("FILE");
  command->add_option("--fec-offset", fec_offset, "Where on it that data begins")
      ->type_name("BYTES");
  command->add_option("--fec-roots", fec_roots, "Parity bytes of each codeword, 2 to 24")
      ->type_name("N");
}

void VerityOptions::add_signature(CLI::App* command, bool kernel) {
  auto* const file = command->add_option("--root-hash-signature", signature,
                                         "PKCS#7 signature that the root hash must have");
  auto* const certificate =
      command->add_option("--root-hash-cert", certificates,
                          "Certificate of somebody whose signature counts; may be repeated");
  file->type_name("FILE");
  if (!kernel) file->needs(certificate);
  certificate->type_name("FILE")->needs(file);
}

Result<verity::Params> VerityOptions::params(Bytes default_salt) const {
  verity::Params params{.hash_type = static_cast<verity::HashType>(hash_type),
                        .hash = hash,
                        .data_block_size = data_block_size,
                        .hash_block_size = hash_block_size,
                        .data_blocks = data_blocks,
                        .salt = std::move(default_salt)};
  if (salt) {
    auto bytes = *salt == "-" ? Result<Bytes>(Bytes()) : from_hex(*salt);
    if (!bytes) return wrong(fmt::format("--salt {} is not a hexadecimal string", *salt));
    params.salt = *std::move(bytes);
  }
  return params;
}

Result<verity::Layout> VerityOptions::layout(verity::Params params) const {
  verity::Layout layout{
      .params = std::move(params), .hash_offset = hash_offset, .superblock = !no_superblock};
  if (!fec_device.empty())
    layout.fec = verity::Layout::Fec{.roots = fec_roots, .offset = fec_offset};
  if (debug) say_layout(layout);
  return layout;
}

Result<verity::Layout> VerityOptions::stored_layout(const block::BlockTarget& hash_target,
                                                    const block::BlockTarget& data_target) const {
  if (!no_superblock) {
    auto superblock = TRY(verity::read_superblock(hash_target, hash_offset).context(hash_device));
    return layout(std::move(superblock.params));
  }
  auto params = TRY(this->params({}));
  if (params.data_blocks == 0) params.data_blocks = data_target.size() / params.data_block_size;
  return layout(std::move(params));
}

Result<Bytes> VerityOptions::stated_root() const {
  if (root_hash.empty() == root_hash_file.empty())
    return wrong("give the root hash, either as the last argument or by --root-hash-file");
  std::string text = root_hash;
  if (text.empty()) {
    text = as_text(TRY(read_file(root_hash_file, kMaxRootHashFile)));
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  }
  auto bytes = from_hex(text);
  if (!bytes || bytes->empty())
    return wrong(fmt::format("'{}' is not a hexadecimal root hash", text));
  return *std::move(bytes);
}

Result<Bytes> VerityOptions::root() const {
  if (!signature.empty() && certificates.empty())
    return wrong("--root-hash-signature needs --root-hash-cert: only the kernel knows some itself");
  return root_for_kernel();
}

Result<Bytes> VerityOptions::root_for_kernel() const {
  Bytes bytes = TRY(stated_root());
  if (!certificates.empty()) TRY(check_signature(bytes, signature, certificates));
  return bytes;
}

Result<void> VerityOptions::find_parts(stack::VerityLayer& layer,
                                       const std::shared_ptr<block::BlockTarget>& below) const {
  DeviceFiles files(block::Access::read_only);
  const auto open = [&](const std::string& path) {
    return path.empty() || same_file(path, data) ? Result<stack::File>(stack::File())
                                                 : files.open(path);
  };
  layer.hash = TRY(open(hash_device));
  layer.fec = TRY(open(fec_device));
  layer.layout = TRY(stored_layout(layer.hash ? *layer.hash : *below, *below));
  return {};
}

Result<stack::Volume> VerityOptions::volume(stack::VerityLayer layer) const {
  stack::Volume volume{.name = data,
                       .file = TRY(block::FileTarget::open(data, block::Access::read_only))};
  TRY(find_parts(layer, volume.file));
  volume.layers.emplace_back(std::move(layer));
  return volume;
}

}  // namespace intact::cli
