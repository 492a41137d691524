#include <memory>
#include <string>
#include <vector>

#include <intact/console/output.h>
#include <intact/console/progress.h>
#include <intact/image/pull.h>
#include <intact/json/json.h>
#include <intact/report/results.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "limit_options.h"
#include "references.h"
#include "registry_options.h"
#include "store_option.h"

namespace intact::cli {
namespace {

struct Options {
  std::string source;
  std::string name;
  PlatformOption platform;
  std::string pin;
  std::vector<std::string> object_dirs;
  bool first_use = false;
  bool replace = false;
  bool allow_older = false;
  bool drop_layers = false;
  bool shared = false;
  bool verify = false;
  bool json = false;
};

/// Of a damaged source the user wants to know what has become of the store.
Error say_nothing_changed(Error error) {
  switch (error.kind()) {
    case ErrorKind::tampered:
    case ErrorKind::malformed:
    case ErrorKind::limit:
    case ErrorKind::io:
      return Error(error.kind(), error.message() + "; nothing was added to the store",
                   error.sys_errno());
    default:
      return error;
  }
}

Result<int> pull(const Options& options, const StoreOption& store_option,
                 const AnchorOptions& anchors, const LimitOptions& limits,
                 const RegistryOptions& registry) {
  const oci::Reference source = TRY(require_reference(options.source, kImageFormsText));
  image::PullOptions pull_options{.anchors = anchors.anchors()};
  if (!options.pin.empty()) {
    auto pin = Digest::parse(options.pin);
    if (!pin)
      return Error(ErrorKind::invalid_argument,
                   "--pin: not a digest; pass that of a manifest, such as sha256:HEX");
    pull_options.anchors.pin = *pin;
  }
  pull_options.anchors.first_use = options.first_use;
  pull_options.replace = options.replace;
  pull_options.allow_older = options.allow_older;
  pull_options.drop_layers = options.drop_layers;
  pull_options.verify = options.verify;
  pull_options.limits = limits.limits();
  pull_options.registry = registry.options();
  pull_options.platform = TRY(options.platform.platform());
  const auto store = TRY(
      store_option.open_or_create(options.shared ? store::Access::shared : store::Access::keep));
  for (const std::string& dir : options.object_dirs)
    TRY(store->add_object_dir(dir, store::DirectoryOrigin::user));
  auto pulled = [&] {
    ProgressLine line;
    pull_options.progress = line.sink();
    return image::pull(source, options.name, *store, pull_options);
  }();
  if (!pulled) return say_nothing_changed(std::move(pulled).error());
  const image::PullReport& report = *pulled;

  for (const std::string& warning : report.warnings) warn(warning);
  if (options.json) {
    print_json(report::to_json(report));
  } else {
    print_text(report::to_text(report, options.source));
  }
  return 0;
}

}  // namespace

void add_pull_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add(program.app(), "pull", "Verify an image and add it to the store");
  command->add_option("SOURCE", options->source, "Image to pull")
      ->type_name(kImageForms)
      ->required();
  command->add_option("NAME", options->name,
                      "Name in the store (default: the signed identity, otherwise the tag)");
  options->platform.add_to(command);
  repeatable(
      command
          ->add_option("--objects-from", options->object_dirs,
                       "Use the objects in this directory (of podman or mkcomposefs) instead of "
                       "copying them; may be repeated")
          ->type_name("DIR"));
  auto* const pin = command
                        ->add_option("--pin", options->pin,
                                     "Accept only the manifest with this digest, signed or not")
                        ->type_name("DIGEST");
  command
      ->add_flag("--tofu", options->first_use,
                 "Accept an image without a trusted signature if it is the first of this name")
      ->excludes(pin);
  command->add_flag("--replace", options->replace, "Replace the image that NAME refers to");
  command->add_flag("--allow-older", options->allow_older,
                    "Accept an image with a lower signed serial number than one pulled before");
  command->add_flag(
      "--drop-layers", options->drop_layers,
      "Do not keep the layer blobs (saves space, but rules out `export oci:` and repair)");
  command->add_flag("--verify", options->verify,
                    "Read and hash everything again, even if the store already has the image");
  command->add_flag("--shared", options->shared,
                    "Let all users read the store: every file of every image, private ones too");
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  const LimitOptions limits(command);
  const RegistryOptions registry(command);
  program.on_chosen(command, [options, store, anchors, limits, registry] {
    return pull(*options, store, anchors, limits, registry);
  });
}

}  // namespace intact::cli
