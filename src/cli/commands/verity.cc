#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/base/grown_files.h>
#include <intact/block/device_files.h>
#include <intact/console/output.h>
#include <intact/console/password.h>
#include <intact/console/peer_commands.h>
#include <intact/console/progress.h>
#include <intact/console/size_option.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/random.h>
#include <intact/json/json.h>
#include <intact/report/verity.h>
#include <intact/sign/key.h>
#include <intact/verity/manage.h>

#include "command.h"
#include "commands.h"
#include "verity_options.h"

// The commands here take the options of veritysetup and print the same field names.
namespace intact::cli {
namespace {

using block::Access;

constexpr std::size_t kDefaultSaltSize = 32;

struct Options : VerityOptions {
  bool json = false;
  std::string sign_key;
  std::string sign_certificate;
  PasswordOptions password;
};

// --- format -------------------------------------------------------------------------------------

/// How many blocks of the data to protect, if that is clear.
Result<std::uint64_t> blocks_to_protect(const Options& options, int data,
                                        std::uint32_t block_size) {
  if (options.data_blocks.value_or(0) != 0) return *options.data_blocks;
  const auto source = TRY(FileSource::open(TRY(duplicate_fd(data))).context(options.data));
  const bool one_file = same_file(options.data, options.hash_device);
  return verity::blocks_to_protect(*source, block_size,
                                   one_file ? std::optional(options.hash_offset) : std::nullopt)
      .context(options.data);
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

  Result<Bytes> sign(ByteSpan root) const { return verity::sign_root(root, key, certificate); }
};

Result<int> format(const Options& options) {
  if (options.root_hash_file == "-" && options.json)
    return wrong("--root-hash-file -: stdout is taken by --json, which contains the root hash");
  std::optional<Signer> signer;
  if (!options.signature.empty() || !options.sign_key.empty() || !options.sign_certificate.empty())
    signer = TRY(Signer::load(options));
  UniqueFd data = TRY(open_file(options.data, O_RDONLY));
  verity::Params params = TRY(options.params(crypto::random_bytes(kDefaultSaltSize)));
  params.data_blocks = TRY(blocks_to_protect(options, data.get(), params.data_block_size));
  params.hash = TRY(crypto::find_hash_function(params.hash)).name;
  const verity::Layout layout = TRY(options.layout(params));
  if (!options.uuid.empty() && options.no_superblock)
    return wrong("--uuid: stored in the superblock; omit --no-superblock");
  const verity::Uuid uuid =
      options.uuid.empty() ? verity::Uuid::random() : TRY(verity::Uuid::parse(options.uuid));
  const auto geometry = TRY(verity::Geometry::create(params));
  const auto [root, devices] = TRY([&] {
    ProgressLine line;
    return verity::create_volume(
        {.data = options.data,
         .hash = options.hash_device,
         .fec = options.fec_device,
         .root_hash = options.root_hash_file == "-" ? "" : options.root_hash_file,
         .signature = options.signature},
        std::move(data), layout, uuid, [&signer](ByteSpan bytes) { return signer->sign(bytes); },
        progress_on(line, "Hashing"));
  }());

  if (options.root_hash_file == "-") {
    print("{}\n", to_hex(root));
    return 0;
  }
  report::VerityHeader header{.layout = layout,
                              .geometry = geometry,
                              .hash_device = options.hash_device,
                              .uuid = layout.superblock ? uuid.to_string() : "",
                              .hash_size = devices.hash->size(),
                              .root = root};
  if (layout.fec)
    header.fec = {TRY(verity::fec_geometry(layout, *TRY(verity::fec_coverage(layout, devices)))),
                  devices.fec->size()};
  print_result(options.json, report::to_json(header), report::to_text(header));
  return 0;
}

// --- dump ---------------------------------------------------------------------------------------

Result<int> dump(const Options& options) {
  block::DeviceFiles files(Access::read_only);
  const auto hash = TRY(files.open(options.hash_device));
  const auto superblock =
      TRY(verity::read_superblock(*hash, options.hash_offset).context(options.hash_device));
  const verity::Layout layout = TRY(options.layout(superblock.params));
  const auto geometry = TRY(verity::Geometry::create(layout.params));
  const report::VerityHeader header{
      .layout = layout,
      .geometry = geometry,
      .hash_device = options.hash_device,
      .uuid = superblock.uuid.to_string(),
      .hash_size = TRY(verity::hash_area_offset(layout)) + geometry.hash_size()};
  print_result(options.json, report::to_json(header), report::to_text(header));
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
  {
    const auto [command, options] = add_verity_command<Options>(
        program, group, "format", "Create the hash tree of a volume", format);
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
    const auto [command, options] = add_verity_command<Options>(
        program, group, "dump", "Show the superblock of a hash device", dump);
    command->add_option("HASH", options->hash_device, "Device or file with the hash tree")
        ->type_name("FILE")
        ->required();
    add_size_option(command, "--hash-offset", options->hash_offset, "Where the superblock begins");
  }
  add_verity_check_commands(program, group);
  add_verity_open_command(program, group);
  add_close_command(program, group, "verity");
  add_verity_status_command(program, group);
}

}  // namespace intact::cli
