#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <intact/console/output.h>
#include <intact/console/password.h>
#include <intact/console/progress.h>
#include <intact/image/seal.h>
#include <intact/json/json.h>
#include <intact/report/results.h>
#include <intact/sign/certificates.h>

#include "command.h"
#include "commands.h"
#include "limit_options.h"
#include "references.h"
#include "registry_options.h"

namespace intact::cli {
namespace {

struct Options {
  std::string source;
  std::string destination;
  std::string key;
  PasswordOptions password;
  std::string identity;
  std::string profile = "shared";
  std::string signature_format = "classic";
  std::optional<std::string> certificate;
  std::optional<std::uint64_t> serial;
  PlatformOption platform;
  std::optional<std::string> owner;
  bool no_composefs_annotations = false;
  std::optional<std::string> artifact_certificate;
  bool json = false;
};

Result<int> seal(const Options& options, const LimitOptions& limits, const registry::Options& from,
                 const registry::Options& to) {
  TRY(image::check_profile(options.profile));
  const oci::Reference source =
      TRY(require_reference(options.source,
                            "docker://HOST/REPO[:TAG], oci:DIR[:TAG], oci-archive:FILE[:TAG], "
                            "docker-archive:FILE[:REF], rootfs:DIR or tar:FILE"));
  std::optional<oci::Reference> destination;
  if (!options.destination.empty())
    destination = TRY(require_reference(options.destination, kImageFormsText));

  const bool to_stdout = destination && destination->path == "-" &&
                         destination->transport == oci::Reference::Transport::oci_archive;
  if (to_stdout) TRY(check_archive_on_stdout(options.json));

  image::SealOptions seal_options;
  seal_options.profile = options.profile;
  seal_options.identity = options.identity;
  seal_options.signature_format = TRY(image::parse_signature_format(options.signature_format));
  seal_options.serial = options.serial;
  seal_options.composefs_annotations = !options.no_composefs_annotations;
  if (options.certificate)
    seal_options.certificates =
        TRY(crypto::CertificateChain::from(TRY(sign::load_certificates(*options.certificate)))
                .context("--certificate"));
  if (options.artifact_certificate)
    seal_options.artifact_certificate =
        TRY(sign::load_certificates(*options.artifact_certificate).context("--composefs-artifact"))
            .front();
  seal_options.limits = limits.limits();
  seal_options.source_registry = from;
  seal_options.destination_registry = to;
  seal_options.platform = TRY(options.platform.platform());
  if (options.owner) seal_options.owner = TRY(oci::parse_owner(*options.owner).context("--owner"));
  auto key = TRY(sign::PrivateKey::begin_loading(options.key, [&] {
    return read_password(options.password, "the key " + options.key, PasswordUse::existing);
  }));
  const auto report = TRY([&] {
    ProgressLine line;
    seal_options.progress = line.sink();
    return image::seal(source, destination, std::move(key), seal_options);
  }());

  for (const std::string& warning : report.warnings) warn(warning);
  if (options.json) {
    print_json(report::to_json(report, options.identity));
    return 0;
  }
  const std::string text = report::to_text(report, options.identity);
  if (to_stdout) {
    tell("{}", text);
  } else {
    print_text(text);
  }
  return 0;
}

}  // namespace

void add_seal_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      program.app(), "seal", "Make a sealed and signed image from an image, a directory or a tar");
  command->add_option("SOURCE", options->source, "Image, directory or tar to seal")
      ->type_name(fmt::format("{}|docker-archive:FILE[:REF]|rootfs:DIR|tar:FILE", kImageForms))
      ->required();
  command
      ->add_option(
          "DEST", options->destination,
          "Where to write the sealed image, FILE may be - for standard output (default for an oci: "
          "source: its tag with -sealed)")
      ->type_name(kImageForms);
  command->add_option("--key", options->key, "Private key to sign with (cosign or PEM format)")
      ->type_name("FILE")
      ->required();
  add_password_options(command, options->password);
  command->add_option("--identity", options->identity, "Name to sign the image under")
      ->type_name("HOST/REPO[:TAG]");
  command->add_option("--profile", options->profile, "Kind of sealed image")->type_name("shared");
  command
      ->add_option("--signature-format", options->signature_format,
                   "How to store the signature: as cosign 2 does, as a sigstore bundle as cosign 3 "
                   "does, both, or as notation does")
      ->type_name("classic|bundle|both|notation-jws|notation-cose");
  command
      ->add_option("--certificate", options->certificate,
                   "Certificates of the key (PEM), its own first, for Notation's formats")
      ->type_name("FILE");
  command
      ->add_option("--serial", options->serial,
                   "Sign this number with the image; policies can refuse lower ones")
      ->type_name("N");
  command
      ->add_option(
          "--composefs-artifact", options->artifact_certificate,
          "Also sign fs-verity digests as the kernel and composefs-rs expect it; FILE is the "
          "certificate of the key")
      ->type_name("FILE");
  options->platform.add_to(command);
  // An empty one gets a message of its own.
  allow_empty(command
                  ->add_option("--owner", options->owner,
                               "Owner of all files of a rootfs: source (default GID: UID)")
                  ->type_name("UID[:GID]"));
  command->add_flag("--no-composefs-annotations", options->no_composefs_annotations,
                    "Leave out the digests that composefs-rs defines, which take a second hash of "
                    "all files");
  command->add_flag("--json", options->json, "Print the result as JSON");
  const LimitOptions limits(command);
  const RegistryOptions from(command, "src-"), to(command, "dest-");
  program.on_chosen(command, [options, limits, from, to] {
    return seal(*options, limits, from.options(), to.options());
  });
}

}  // namespace intact::cli
