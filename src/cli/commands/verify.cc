#include <map>
#include <memory>
#include <string_view>

#include <intact/base/visible.h>
#include <intact/image/verify.h>
#include <intact/json/json.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "limit_options.h"
#include "progress.h"
#include "store_option.h"
#include "verify_report.h"

namespace intact::cli {
namespace {

struct Options {
  std::string image;
  std::string platform;
  std::string report;
  bool map = false;
  bool json = false;
};

Json to_json(const image::VerifyReport& report) {
  Json damaged = Json::array();
  for (const image::Damage& damage : report.damaged)
    damaged.push_back({{"path", damage.path},
                       {"object", damage.object},
                       {"block", damage.block},
                       {"offset", damage.offset},
                       {"reason", damage.reason}});
  Json json{{"ok", report.ok()},
            {"manifest", report.manifest.to_string()},
            {"image", report.image.to_string()},
            {"checked",
             {{"files", report.files},
              {"objects", report.objects},
              {"layers", report.layers},
              {"bytes", report.bytes}}},
            {"damaged", std::move(damaged)}};
  json["signer"] = report.signer ? Json(report.signer->key_fingerprint) : Json();
  json["signer_label"] = report.signer ? Json(report.signer->key_label) : Json();
  return json;
}

/// Every damaged file, and its first blocks: who looks for the next hundred thousand has --json.
void print_damage(const std::vector<image::Damage>& damaged) {
  constexpr std::uint64_t kMostBlocks = 10;
  std::map<std::string_view, std::uint64_t> blocks;
  const auto shown = [](const image::Damage& damage) {
    return damage.path.empty() ? "(image metadata)" : visible(damage.path);
  };
  for (const image::Damage& damage : damaged) {
    if (++blocks[damage.path] <= kMostBlocks)
      print("DAMAGED {}: block {} (byte {}) of {}: {}\n", shown(damage), damage.block,
            damage.offset, damage.object, visible(damage.reason));
  }
  for (const image::Damage& damage : damaged) {
    const std::uint64_t more = blocks[damage.path];
    if (more > kMostBlocks)
      print("DAMAGED {}: {} (--json lists them)\n", shown(damage),
            counted(more - kMostBlocks, "further place"));
    blocks[damage.path] = 0;  // told
  }
}

void print_verdict(const std::string& what, const image::VerifyReport& report) {
  const std::string signer =
      report.signer ? "signed by " + report.signer->key_name() : "NOT SIGNED by a trusted key";
  const double megabytes = static_cast<double>(report.bytes) / 1e6;
  if (report.ok()) {
    print("'{}' is intact: {}, {}, {:.1f} MB checked; {}\n", what, counted(report.files, "file"),
          counted(report.objects, "object"), megabytes, signer);
  } else {
    print("'{}' is damaged in {}; the rest is intact ({:.1f} MB checked; {})\n", what,
          counted(report.damaged.size(), "place"), megabytes, signer);
  }
}

Result<int> verify(const Options& options, const StoreOption& store_option,
                   const AnchorOptions& anchor_options, const LimitOptions& limits) {
  const auto reference = TRY(oci::parse_reference(options.image));
  const bool wants_view = options.map || !options.report.empty();
  if (options.map && options.json)
    return Error(ErrorKind::invalid_argument, "--map is for people, --json for machines");
  std::optional<tree::Tree> tree;
  const sign::Anchors anchors = anchor_options.anchors();
  const image::TreeSink keep_tree =
      wants_view ? [&tree](tree::Tree read) { tree = std::move(read); } : image::TreeSink();
  auto check = [&]() -> Result<image::VerifyReport> {
    ProgressLine line;
    if (reference) {
      const auto platform = options.platform.empty() ? oci::Platform::host()
                                                     : TRY(oci::parse_platform(options.platform));
      return image::verify_source(*reference, platform, anchors, limits.limits(), line.sink(),
                                  keep_tree);
    }
    const auto store = TRY(store_option.open());
    return image::verify_stored(*store, options.image, anchors, line.sink(), keep_tree);
  };
  auto report = check();
  if (!report) {
    if (!options.report.empty())
      TRY(write_failure_report(options.report, options.image, report.error()));
    if (options.json)
      print("{}\n", to_text(Json{{"ok", false},
                                 {"error", to_string(report.error().kind())},
                                 {"message", report.error().message()},
                                 {"status", exit_status(report.error())},
                                 {"checked", Json::object()},
                                 {"damaged", Json::array()}}));
    return std::move(report).error();
  }
  if (!options.json) print_damage(report->damaged);
  if (wants_view) {
    const report::View view =
        report::make_view(options.image, current_time(), *report, tree ? &*tree : nullptr);
    if (!options.report.empty()) TRY(write_report(options.report, view));
    if (options.map) print("{}", report::to_terminal(view, terminal_style()));
  }
  if (options.json) {
    print("{}\n", to_text(to_json(*report)));
  } else {
    print_verdict(options.image, *report);
  }
  return report->ok() ? 0 : 3;
}

}  // namespace

void add_verify_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add(program.app(), "verify",
                  "Check an image from its signature down to every byte of every file");
  command->add_option("IMAGE", options->image, "Image in the store, or in a layout or archive")
      ->type_name("NAME|oci:DIR[:TAG]|oci-archive:FILE[:TAG]")
      ->required();
  command->add_option("--platform", options->platform, "Which image of an index")
      ->type_name("OS/ARCH[/VARIANT]");
  command
      ->add_option("--report", options->report,
                   "Write what was found as an HTML page that can be looked at anywhere")
      ->type_name("FILE");
  command->add_flag("--map", options->map, "Show a map of all blocks, damaged ones marked");
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  const LimitOptions limits(command);
  program.on_chosen(command, [options, store, anchors, limits] {
    return verify(*options, store, anchors, limits);
  });
}

}  // namespace intact::cli
