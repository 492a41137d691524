#include <memory>
#include <string>
#include <vector>

#include <intact/image/pull.h>
#include <intact/json/json.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "limit_options.h"
#include "progress.h"
#include "references.h"
#include "store_option.h"

namespace intact::cli {
namespace {

struct Options {
  std::string source;
  std::string name;
  std::string platform;
  std::vector<std::string> object_dirs;
  bool replace = false;
  bool drop_layers = false;
  bool json = false;
};

Result<int> pull(const Options& options, const StoreOption& store_option,
                 const AnchorOptions& anchors, const LimitOptions& limits) {
  const oci::Reference source = TRY(require_reference(options.source));
  image::PullOptions pull_options{.anchors = anchors.anchors()};
  pull_options.replace = options.replace;
  pull_options.drop_layers = options.drop_layers;
  pull_options.limits = limits.limits();
  if (!options.platform.empty()) pull_options.platform = TRY(oci::parse_platform(options.platform));
  const auto store = TRY(store_option.open_or_create());
  for (const std::string& dir : options.object_dirs) TRY(store->add_object_dir(dir));
  const auto report = TRY([&] {
    ProgressLine line;
    pull_options.progress = line.sink();
    return image::pull(source, options.name, *store, pull_options);
  }());

  for (const std::string& warning : report.warnings) warn(warning);
  if (options.json) {
    Json json{{"name", report.image.name},
              {"manifest", report.image.manifest.to_string()},
              {"image", report.image.image.to_string()},
              {"objects", report.objects},
              {"bytes", report.object_bytes}};
    json["signer"] = report.signer ? Json(report.signer->key_fingerprint) : Json();
    json["identity"] = report.signer ? Json(report.signer->identity) : Json();
    print("{}\n", to_text(json));
    return 0;
  }
  print("Pulled {} as '{}'\n", options.source, report.image.name);
  print("  manifest  {}\n  image     {}\n", report.image.manifest.to_string(),
        report.image.image.to_string());
  if (report.signer) {
    print("  signed by {}{}\n", report.signer->key_name(),
          report.signer->identity.empty() ? "" : " as " + report.signer->identity);
  } else {
    print("  NOT SIGNED by a trusted key\n");
  }
  print("  {}, {:.1f} MB\n", counted(report.objects, "object"),
        static_cast<double>(report.object_bytes) / 1e6);
  return 0;
}

}  // namespace

void add_pull_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add(program.app(), "pull", "Check a sealed image and bring it into the store");
  command->add_option("SOURCE", options->source, "Sealed image to bring in")
      ->type_name("oci:DIR[:TAG]|oci-archive:FILE[:TAG]")
      ->required();
  command->add_option("NAME", options->name,
                      "What to call it in the store; default: the signed identity, else the tag");
  command->add_option("--platform", options->platform, "Which image of an index")
      ->type_name("OS/ARCH[/VARIANT]");
  command
      ->add_option("--objects-from", options->object_dirs,
                   "Leave files there that this object directory (podman's, mkcomposefs's) has; "
                   "may be repeated")
      ->type_name("DIR")
      ->expected(1)
      ->take_all();
  command->add_flag("--replace", options->replace, "Let NAME stand for another image than it did");
  command->add_flag("--drop-layers", options->drop_layers,
                    "Do not keep the layer blobs: no `export oci:` and no repair then");
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  const LimitOptions limits(command);
  program.on_chosen(command, [options, store, anchors, limits] {
    return pull(*options, store, anchors, limits);
  });
}

}  // namespace intact::cli
