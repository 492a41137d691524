#include "verity_options.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <intact/block/device_files.h>
#include <intact/console/input_file.h>
#include <intact/console/peer_commands.h>
#include <intact/console/size_option.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/pkcs7.h>
#include <intact/verity/dm_target.h>

#include "command.h"

namespace intact::cli {
namespace {

constexpr std::uint64_t kMaxRootHashFile = 4096;  // bytes

Result<void> check_signature(ByteSpan root, const std::string& file,
                             const std::vector<std::string>& certificate_files) {
  std::vector<crypto::Certificate> certificates;
  for (const std::string& path : certificate_files) {
    const Bytes text = TRY(read_input(path, crypto::kMaxPemSize));
    auto some = TRY(crypto::Certificate::parse_all(text).context(input_name(path)));
    std::ranges::move(some, std::back_inserter(certificates));
  }
  const Bytes signature = TRY(read_input(file, crypto::kMaxPkcs7Size));
  return verity::check_root_signature(root, signature, certificates).context(input_name(file));
}

}  // namespace

CLI::App* add_verity_command(Program& program, CLI::App* group, const char* name,
                             const char* description) {
  return add_peer_command(program, group, name, description, "--help");
}

void VerityOptions::add_talk(CLI::App* command) {
  command->add_flag("--debug", debug, "Print the layout of the volume on stderr");
}

void VerityOptions::add_devices(CLI::App* command, bool with_root_hash) {
  command->add_option("DATA", data, "Device or file with the data")->type_name("FILE")->required();
  command->add_option("HASH", hash_device, "Device or file with the hash tree; may be DATA")
      ->type_name("FILE")
      ->required();
  if (with_root_hash)
    command->add_option("ROOT", root_hash, "Root hash, in hexadecimal")->type_name("HEX");
  command
      ->add_option("--root-hash-file", root_hash_file,
                   with_root_hash ? "Read the root hash from this file ('-': stdin)"
                                  : "Write the root hash to this file ('-': only that, to stdout)")
      ->type_name("FILE");
}

void VerityOptions::add_format(CLI::App* command) {
  const verity::Params defaults;
  command->add_option("-h,--hash", hash, "Hash function")
      ->type_name("NAME")
      ->default_str(defaults.hash);
  add_number_option(command, "--format", hash_type, "Hash type: 1 normal, 0 original Chrome OS")
      ->default_str("1");
  add_size_option(command, "--data-block-size", data_block_size, "Block size of the data")
      ->default_str(std::to_string(defaults.data_block_size));
  add_size_option(command, "--hash-block-size", hash_block_size, "Block size of the hash tree")
      ->default_str(std::to_string(defaults.hash_block_size));
  add_data_blocks(command);
  allow_empty(command->add_option("-s,--salt", salt, "Salt in hexadecimal; '-' for none")
                  ->type_name("HEX"));
}

void VerityOptions::add_data_blocks(CLI::App* command) {
  add_number_option(command, "--data-blocks", data_blocks,
                    "Number of data blocks in the volume; 0: not given");
}

void VerityOptions::add_placement(CLI::App* command) {
  add_size_option(command, "--hash-offset", hash_offset,
                  "Offset of the superblock, or of the tree without one, in HASH");
  command->add_flag("--no-superblock", no_superblock,
                    "No superblock: take all parameters from the command line");
  add_fec(command);
}

void VerityOptions::add_fec(CLI::App* command) {
  command->add_option("--fec-device", fec_device, "Device or file with error correction data")
      ->type_name("FILE");
  add_size_option(command, "--fec-offset", fec_offset,
                  "Offset of the error correction data in its file");
  add_number_option(command, "--fec-roots", fec_roots, "Parity bytes per codeword, 2 to 24");
}

void VerityOptions::add_signature(CLI::App* command, bool kernel) {
  auto* const file = command->add_option("--root-hash-signature", signature,
                                         "PKCS#7 signature that the root hash must have");
  auto* const certificate = command->add_option(
      "--root-hash-cert", certificates, "Certificate of an accepted signer; may be repeated");
  file->type_name("FILE");
  if (!kernel) file->needs(certificate);
  certificate->type_name("FILE")->needs(file)->allow_extra_args(false);
}

Result<verity::Layout> VerityOptions::layout(verity::Params params) const {
  verity::Layout layout{
      .params = std::move(params), .hash_offset = hash_offset, .superblock = !no_superblock};
  if (!fec_device.empty())
    layout.fec = verity::Layout::Fec{.roots = fec_roots, .offset = fec_offset};
  // In the form of cryptsetup's debug messages.
  if (debug)
    for (const std::string& line : verity::describe_layout(layout))
      fmt::print(stderr, "# {}\n", line);
  return layout;
}

Result<VerityOptions::Stored> VerityOptions::stored_layout(const block::Device& hash_target,
                                                           const block::Device& data_target) const {
  if (!no_superblock) {
    auto superblock = TRY(verity::read_superblock(hash_target, hash_offset).context(hash_device));
    TRY(check(superblock.params, hash_device));
    return Stored{.layout = TRY(layout(std::move(superblock.params))), .uuid = superblock.uuid};
  }
  auto params = TRY(this->params({}));
  if (params.data_blocks == 0) params.data_blocks = data_target.size() / params.data_block_size;
  return Stored{.layout = TRY(layout(std::move(params))), .uuid = {}};
}

Result<Bytes> VerityOptions::stated_root() const {
  if (root_hash.empty() == root_hash_file.empty())
    return wrong(
        "root hash: not given, or given twice; pass it as the last argument or with "
        "--root-hash-file");
  if (root_hash_file.empty()) {
    if (auto bytes = verity::parse_root_hash(root_hash)) return *std::move(bytes);
    return wrong(fmt::format("'{}': not a root hash in hexadecimal", root_hash));
  }
  const std::string text = TRY(read_text_input(root_hash_file, kMaxRootHashFile));
  if (auto bytes = verity::parse_root_hash(text)) return *std::move(bytes);
  // Without the content: it may be a key that was given by mistake.
  return wrong(input_name(root_hash_file) + ": not a root hash in hexadecimal");
}

Result<Bytes> VerityOptions::root() const {
  if (!signature.empty() && certificates.empty())
    return wrong("--root-hash-signature: no certificate to check it with; pass --root-hash-cert");
  return root_for_kernel();
}

Result<Bytes> VerityOptions::root_for_kernel() const {
  Bytes bytes = TRY(stated_root());
  if (!certificates.empty()) TRY(check_signature(bytes, signature, certificates));
  return bytes;
}

Result<stack::Plan> VerityOptions::plan(Reading reading) const {
  block::DeviceFiles files(block::Access::read_only);
  stack::Plan plan{.name = data, .file = TRY(files.open(data))};
  // The same word for the same file.
  const auto add = [&](const std::string& path, std::string& word) -> Result<dm::File> {
    if (path.empty()) return dm::File();
    dm::File file = TRY(files.open(path));
    word = TRY(plan.names.add(file));
    return file;
  };
  verity::LineSpec spec{.layout = {},
                        .root = std::move(reading.root),
                        .data = TRY(plan.top()),
                        .hash = {},
                        .flags = std::move(reading.flags)};
  const verity::Devices devices{.data = plan.file,
                                .hash = TRY(add(hash_device, spec.hash)),
                                .fec = TRY(add(fec_device, spec.fec))};
  Stored stored = TRY(stored_layout(*devices.hash, *devices.data));
  // Wrong numbers come from the file if there is a superblock, and from the user otherwise.
  TRY(verity::check_layout(
      stored.layout, devices,
      stored.layout.superblock ? ErrorKind::malformed : ErrorKind::invalid_argument));
  spec.layout = std::move(stored.layout);
  if (reading.signature_key)
    spec.signature_key = TRY(reading.signature_key(stored.uuid ? stored.uuid->to_string() : ""));
  plan.add(TRY(verity::make_table(spec, devices, stored.uuid)));
  return plan;
}

}  // namespace intact::cli
