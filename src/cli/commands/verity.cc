#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>

#include <intact/base/checked.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/console/password.h>
#include <intact/console/peer_commands.h>
#include <intact/console/progress.h>
#include <intact/console/size_option.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/pkcs7.h>
#include <intact/crypto/random.h>
#include <intact/json/json.h>
#include <intact/sign/key.h>
#include <intact/verity/volume.h>

#include "command.h"
#include "commands.h"
#include "verity_check.h"
#include "verity_files.h"
#include "verity_mapping.h"
#include "verity_open.h"
#include "verity_options.h"

// The commands here take the options of veritysetup and print the same field names.
namespace intact::cli {
namespace {

using block::Access;
using verity::Area;
using verity::Damage;

constexpr std::size_t kDefaultSaltSize = 32;

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

struct Options : VerityOptions {
  bool json = false;
  std::string sign_key;
  std::string sign_certificate;
  PasswordOptions password;
};

// --- output for people
// ----------------------------------------------------------------------------

std::string salt_text(const verity::Params& params) {
  return params.salt.empty() ? "-" : to_hex(params.salt);
}

void print_header(const verity::Layout& layout, const std::string& hash_device,
                  const std::string& uuid, const verity::Geometry& geometry) {
  const verity::Params& params = layout.params;
  print("VERITY header information for {}\n", hash_device);
  print("UUID:            \t{}\n", uuid);
  print("Hash type:       \t{}\n", static_cast<std::uint32_t>(params.hash_type));
  print("Data blocks:     \t{}\n", params.data_blocks);
  print("Data block size: \t{}\n", params.data_block_size);
  print("Hash blocks:     \t{}\n", geometry.hash_blocks());
  print("Hash block size: \t{}\n", params.hash_block_size);
  print("Hash algorithm:  \t{}\n", params.hash);
}

Json to_json(const verity::Layout& layout, const std::string& uuid,
             const verity::Geometry& geometry) {
  const verity::Params& params = layout.params;
  return {{"uuid", uuid},
          {"hash_type", static_cast<std::uint32_t>(params.hash_type)},
          {"data_blocks", params.data_blocks},
          {"data_block_size", params.data_block_size},
          {"hash_blocks", geometry.hash_blocks()},
          {"hash_block_size", params.hash_block_size},
          {"hash_algorithm", params.hash},
          {"salt", to_hex(params.salt)}};
}

// --- format -------------------------------------------------------------------------------------

/// How many blocks of the data to protect, if that is clear.
Result<std::uint64_t> blocks_to_protect(const Options& options, std::uint32_t block_size) {
  if (options.data_blocks.value_or(0) != 0) return *options.data_blocks;
  const UniqueFd fd = TRY(open_file(options.data, O_RDONLY));
  const std::uint64_t size = TRY(file_size(fd.get()).context(options.data));
  // In one file the data ends where the tree begins.
  if (same_file(options.data, options.hash_device)) {
    const std::uint64_t blocks = std::min(options.hash_offset, size) / block_size;
    if (blocks > 0) return blocks;
    return wrong(
        fmt::format("{}: DATA and HASH are the same file; pass --hash-offset {} to put the "
                    "hash tree after the data",
                    options.data, align_up<std::uint64_t>(size, block_size)));
  }
  const std::uint64_t rest = size % block_size;
  if (rest == 0) return size / block_size;
  Bytes magic(6);
  magic.resize(TRY(pread_up_to(fd.get(), 0, magic)));
  const bool compressed = as_text(magic).starts_with("\x1f\x8b") ||
                          as_text(magic).starts_with("\x28\xb5\x2f\xfd") ||
                          as_text(magic).starts_with(
                              "\xfd"
                              "7zXZ");
  return wrong(fmt::format(
      "{}: its {} bytes are not a multiple of the data block size {}{}; lengthen it (`truncate -s "
      "%{} FILE`), or pass --data-blocks {} to leave the last {} bytes unprotected",
      options.data, size, block_size,
      compressed ? ", and it is compressed (dm-verity protects disk images: unpack it first)" : "",
      block_size, size / block_size, rest));
}

/// The files that will be written.
struct WrittenFiles {
  int hash;
  int fec = -1;  ///< -1: none
};

/// Creates or extends them.
Result<WrittenFiles> grow_files(const Options& options, const verity::Layout& layout,
                                GrownFiles& grown) {
  WrittenFiles files{.hash = TRY(grown.grow(options.hash_device,
                                            TRY(verity::needed_sizes(layout, 0, false)).hash))};
  if (!layout.fec) return files;
  files.fec = TRY(grown.grow(options.fec_device, 0));
  const auto sizes =
      TRY(verity::needed_sizes(layout, TRY(file_size(files.hash).context(options.hash_device)),
                               same_file(files.fec, files.hash)));
  TRY(grown.grow(options.fec_device, sizes.fec));
  return files;
}

/// Who signs the root hash of a new volume.
struct Signer {
  crypto::SigningKey key;
  crypto::Certificate certificate;

  static Result<Signer> load(const Options& options) {
    if (options.signature.empty() || options.sign_key.empty() || options.sign_certificate.empty())
      return wrong("signing needs all of --root-hash-signature, --sign-key and --sign-cert");
    const auto certificates = TRY(crypto::Certificate::parse_all(
                                      TRY(read_file(options.sign_certificate, crypto::kMaxPemSize)))
                                      .context(options.sign_certificate));
    const auto key = TRY(sign::PrivateKey::load(options.sign_key, [&] {
      return read_password(options.password, "the key " + options.sign_key, PasswordUse::existing);
    }));
    // A key that cannot sign is refused before anything is written.
    Signer signer{key.signing_key(), certificates.front()};
    TRY(signer.sign({}).context(options.sign_key));
    return signer;
  }

  /// What the kernel takes: over the root hash as lower-case text without newline.
  Result<Bytes> sign(ByteSpan root) const {
    return crypto::sign_pkcs7(as_bytes(to_hex(root)), key, certificate);
  }
};

/// The files that get the root hash and its signature. They are made before the work begins, so
/// that a path that cannot be written to costs no time, and named when the volume is complete.
struct RootFiles {
  std::optional<OutputFile> hash;
  std::optional<OutputFile> signature;

  static Result<RootFiles> create(const Options& options) {
    RootFiles files;
    if (!options.root_hash_file.empty() && options.root_hash_file != "-")
      files.hash.emplace(TRY(create_one("--root-hash-file", options.root_hash_file, options)));
    if (!options.signature.empty())
      files.signature.emplace(TRY(create_one("--root-hash-signature", options.signature, options)));
    if (files.hash && files.signature && same_place(options.root_hash_file, options.signature))
      return wrong("--root-hash-signature: also the file of --root-hash-file; name another file");
    return files;
  }

  Result<void> write(const Bytes& root, const std::optional<Signer>& signer) {
    if (hash) TRY(hash->write(as_bytes(to_hex(root))));
    if (signer) TRY(signature->write(TRY(signer->sign(root))));
    return {};
  }

  Result<void> publish() {
    if (hash) TRY(hash->publish());
    if (signature) TRY(signature->publish());
    return {};
  }

 private:
  static Result<OutputFile> create_one(const char* option, const std::string& path,
                                       const Options& options) {
    if (path == "-")
      return wrong(std::string(option) + " -: stdout is for the report; name a file");
    for (const std::string* other : {&options.data, &options.hash_device, &options.fec_device})
      if (!other->empty() && same_place(path, *other))
        return wrong(fmt::format("{}: {} is part of the volume; name another file", option, path));
    return OutputFile::create(path, OutputFile::Existing::replace, 0644);
  }
};

Result<int> format(const Options& options) {
  if (options.root_hash_file == "-" && options.json)
    return wrong("--root-hash-file -: stdout is taken by --json, which contains the root hash");
  std::optional<Signer> signer;
  if (!options.signature.empty() || !options.sign_key.empty() || !options.sign_certificate.empty())
    signer = TRY(Signer::load(options));
  verity::Params params = TRY(options.params(crypto::random_bytes(kDefaultSaltSize)));
  params.data_blocks = TRY(blocks_to_protect(options, params.data_block_size));
  params.hash = TRY(crypto::find_hash_function(params.hash)).name;
  const verity::Layout layout = TRY(options.layout(params));
  if (!options.uuid.empty() && options.no_superblock)
    return wrong("--uuid: stored in the superblock; omit --no-superblock");
  const verity::Uuid uuid =
      options.uuid.empty() ? verity::Uuid::random() : TRY(verity::Uuid::parse(options.uuid));

  const auto geometry = TRY(verity::Geometry::create(params));
  RootFiles root_files = TRY(RootFiles::create(options));
  GrownFiles grown;
  const WrittenFiles files = TRY(grow_files(options, layout, grown));

  // Nothing is opened again by its name, which may lead elsewhere by then. Data in a file of its
  // own is opened for reading only.
  DeviceFiles written(Access::read_write);
  DeviceFiles read(Access::read_only);
  verity::Devices devices{
      .data = {}, .hash = TRY(written.open(options.hash_device, TRY(duplicate_fd(files.hash))))};
  if (layout.fec) devices.fec = TRY(written.open(options.fec_device, TRY(duplicate_fd(files.fec))));
  UniqueFd data = TRY(open_file(options.data, O_RDONLY));
  if (same_file(data.get(), files.hash))
    devices.data = devices.hash;
  else if (layout.fec && same_file(data.get(), files.fec))
    devices.data = devices.fec;
  else
    devices.data = TRY(read.open(options.data, std::move(data)));
  ProgressLine line;
  const Bytes root = TRY(verity::format(layout, devices, uuid, 0, progress_on(line, "Hashing")));
  TRY(root_files.write(root, signer));
  TRY(grown.publish());
  TRY(root_files.publish());
  grown.keep();

  const std::string uuid_text = layout.superblock ? uuid.to_string() : "";
  if (options.root_hash_file == "-") {
    print("{}\n", to_hex(root));
    return 0;
  }
  if (options.json) {
    Json json = to_json(layout, uuid_text, geometry);
    json["root_hash"] = to_hex(root);
    print("{}\n", to_text(json));
    return 0;
  }
  print_header(layout, options.hash_device, uuid_text, geometry);
  if (layout.fec) {
    const auto fec = TRY(verity::fec_geometry(layout, *TRY(verity::fec_coverage(layout, devices))));
    print("FEC RS roots:   \t{}\n", fec.roots());
    print("FEC blocks:     \t{}\n", fec.size() / fec.block_size());
  }
  print("Salt:            \t{}\n", salt_text(params));
  print("Root hash:      \t{}\n", to_hex(root));
  print("Hash device size: \t{} [bytes]\n", devices.hash->size());
  if (layout.fec) print("FEC device size: \t{} [bytes]\n", devices.fec->size());
  return 0;
}

// --- dump ---------------------------------------------------------------------------------------

Result<int> dump(const Options& options) {
  DeviceFiles files(Access::read_only);
  const auto hash = TRY(files.open(options.hash_device));
  const auto superblock =
      TRY(verity::read_superblock(*hash, options.hash_offset).context(options.hash_device));
  const verity::Layout layout = TRY(options.layout(superblock.params));
  const auto geometry = TRY(verity::Geometry::create(layout.params));
  const std::uint64_t size = TRY(verity::hash_area_offset(layout)) + geometry.hash_size();
  if (options.json) {
    Json json = to_json(layout, superblock.uuid.to_string(), geometry);
    json["hash_device_size"] = size;
    print("{}\n", to_text(json));
    return 0;
  }
  print_header(layout, options.hash_device, superblock.uuid.to_string(), geometry);
  print("Salt:            \t{}\n", salt_text(layout.params));
  print("Hash device size: \t{} [bytes]\n", size);
  return 0;
}

}  // namespace

void add_verity_commands(Program& program) {
  CLI::App* group =
      program.add(program.app(), "verity",
                  "Create, check, repair and open dm-verity volumes (options of veritysetup)");
  group->require_subcommand(1);
  add_peer_options(group);
  program.before_parsing([group](auto& arguments) { put_command_first(*group, arguments); });
  const auto add = [&](const char* name, const char* description,
                       Result<int> (*action)(const Options&)) {
    CLI::App* command = add_verity_command(program, group, name, description);
    const auto options = std::make_shared<Options>();
    options->add_talk(command);
    command->add_flag("--json", options->json, "Print the result as JSON");
    program.on_chosen(command, [options, action] { return action(*options); });
    return std::pair(command, options.get());
  };

  {
    const auto [command, options] = add("format", "Create the hash tree of a volume", format);
    options->add_devices(command, false);
    options->add_format(command);
    options->add_placement(command);
    command->add_option("--uuid", options->uuid, "UUID of the volume (default: random)")
        ->type_name("UUID");
    command
        ->add_option("--root-hash-signature", options->signature,
                     "Sign the root hash; write the PKCS#7 signature to this file")
        ->type_name("FILE");
    command
        ->add_option("--sign-key", options->sign_key,
                     "Private key to sign with (cosign or PEM format)")
        ->type_name("FILE");
    command->add_option("--sign-cert", options->sign_certificate, "Certificate of the signing key")
        ->type_name("FILE");
    add_password_options(command, options->password);
  }
  {
    const auto [command, options] = add("dump", "Show the superblock of a hash device", dump);
    command->add_option("HASH", options->hash_device, "Device or file with the hash tree")
        ->type_name("FILE")
        ->required();
    add_size_option(command, "--hash-offset", options->hash_offset, "Where the superblock begins");
  }
  add_verity_check_commands(program, group);
  add_verity_open_command(program, group);
  add_verity_mapping_commands(program, group);
}

}  // namespace intact::cli
