#include <memory>
#include <utility>

#include <intact/console/output.h>
#include <intact/image/export.h>
#include <intact/json/json.h>
#include <intact/report/results.h>
#include <intact/run/bundle.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "process_image.h"
#include "references.h"
#include "registry_options.h"
#include "store_option.h"

namespace intact::cli {
namespace {

struct Options {
  std::string name;
  std::string destination;
  image::RootfsOptions rootfs;
  bool json = false;
};

Result<image::BundleFiles> make_bundle_files(const image::OpenedImage& image) {
  run::ExportedBundle bundle =
      TRY(run::export_bundle(*image.tree(), process_image(image.config())));
  for (const std::string& warning : bundle.warnings) warn(warning);
  return std::move(bundle.files);
}

Result<int> run_export(const Options& options, const StoreOption& store_option,
                       const AnchorOptions& anchors, const RegistryOptions& registry) {
  image::OpenOptions open;
  open.anchors = anchors.anchors();
  open.damage = [](const Damage& damage) { warn("damaged: " + damage_line(damage)); };
  if (image::exports_to_standard_output(options.destination))
    TRY(check_archive_on_stdout(options.json));
  const image::ExportReport report =
      TRY(image::export_image(TRY(store_option.open()), options.name, open, options.destination,
                              options.rootfs, make_bundle_files, registry.options()));
  for (const std::string& warning : report.warnings) warn(warning);
  if (options.json) {
    print("{}\n", to_text(report::to_json(report, options.destination)));
  } else if (!image::exports_to_standard_output(options.destination)) {
    print_text(report::to_text(report, options.name, options.destination));
  }
  return 0;
}

}  // namespace

void add_export_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add(program.app(), "export",
                  "Write an image of the store somewhere else, verified as it is read");
  command->add_option("NAME", options->name, "Image in the store")->required();
  command
      ->add_option("DEST", options->destination,
                   "Where to: the sealed image (oci, oci-archive, docker), its files (tar, "
                   "rootfs), composefs files "
                   "or a bundle for OCI runtimes; FILE may be - for standard output")
      ->type_name(
          "oci:DIR[:TAG]|oci-archive:FILE[:TAG]|docker://HOST/REPO[:TAG]|tar:FILE|rootfs:DIR|"
          "composefs:DIR|bundle:DIR")
      ->required();
  command->add_flag("--devices", options->rootfs.devices,
                    "rootfs, bundle: make device nodes as well (as root)");
  command->add_flag(
      "--setuid", options->rootfs.setuid,
      "rootfs, bundle: keep set-user-ID and set-group-ID bits, file capabilities, and "
      "security, trusted and overlayfs attributes");
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  const RegistryOptions registry(command);
  program.on_chosen(command, [options, store, anchors, registry] {
    return run_export(*options, store, anchors, registry);
  });
}

}  // namespace intact::cli
