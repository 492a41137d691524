#include <chrono>
#include <climits>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <set>

#include <unistd.h>

#include <intact/base/error.h>
#include <intact/console/output.h>
#include <intact/console/progress.h>
#include <intact/image/stored_images.h>
#include <intact/image/verify.h>
#include <intact/json/json.h>
#include <intact/report/results.h>
#include <intact/report/view.h>

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
  std::string image;
  PlatformOption platform;
  std::string report;
  bool all = false;
  bool quiet = false;
  bool map = false;
  bool json = false;
};

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// One or several verifications with the same options.
struct Verification {
  const Options& options;
  const StoreOption& store_option;
  image::VerifyOptions verify_options;

  report::Circumstances circumstances(std::chrono::steady_clock::time_point begin) const {
    const bool is_source = oci::has_transport(options.image);
    return {
        .host = host_name(),
        .store = is_source ? "" : store_option.path(),
        .default_store = store_option.path() == store::Store::default_path(),
        .policy = sign::describe(verify_options.anchors),
        .signer_label = {},
        .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
        .also_in = {}};
  }

  /// Which other images share what is damaged.
  Result<std::map<std::string, std::vector<std::string>>> also_in(
      const image::VerifyReport& report) const {
    std::set<std::string> objects;
    for (const Damage& damage : report.damaged)
      if (damage.object.starts_with("objects/")) objects.insert(damage.object);
    if (report.name.empty() || objects.empty())
      return std::map<std::string, std::vector<std::string>>();
    const auto store = TRY(store_option.open());
    return image::other_users_of(*store, objects, report.image);
  }

  Result<image::VerifyReport> run(const std::string& what) {
    ProgressLine line;
    verify_options.progress = line.sink();
    if (const auto reference = TRY(oci::parse_reference(what)))
      return image::verify_source(*reference, verify_options);
    const auto store = TRY(store_option.open());
    return image::verify_stored(*store, what, verify_options);
  }
};

Result<int> verify_one(Verification& verification) {
  const Options& options = verification.options;
  report::PageFile page(options.report, [](const std::string& text) { warn(text); });
  const bool wants_view = options.map || !options.report.empty();
  std::optional<tree::Tree> tree;
  if (wants_view)
    verification.verify_options.tree = [&tree](tree::Tree read) { tree = std::move(read); };
  const auto begin = std::chrono::steady_clock::now();
  auto report = verification.run(options.image);
  report::Circumstances circumstances = verification.circumstances(begin);
  if (!report) {
    page.write_failure(options.image, std::time(nullptr), report.error(), circumstances);
    if (options.json) print_json(report::failure_json(report.error()));
    return std::move(report).error();
  }
  const bool prints = !options.json && options.report != "-";
  if (prints) print_text(report::damage_text(*report));
  if (wants_view) {
    if (report->signer) circumstances.signer_label = report->signer->key_label;
    // Without this the report is still a report.
    if (auto users = verification.also_in(*report)) circumstances.also_in = std::move(*users);
    const report::View view = report::make_view(options.image, std::time(nullptr), *report,
                                                tree ? &*tree : nullptr, circumstances);
    std::fflush(stdout);  // the page may follow it to the same place
    page.write(view);
    if (options.map) print_styled(report::to_terminal(view, report::style_of(STDOUT_FILENO)));
  }
  if (options.json) {
    print_json(report::to_json(*report));
  } else if (prints && !(options.quiet && report->ok())) {
    print_text(report::verdict_text(options.image, *report));
  }
  if (!report->ok()) return 3;
  if (page.failure()) return Error(*page.failure());
  return 0;
}

/// Of several verdicts the one that asks most of the reader: tampering, then a lack of trust.
int worse(int a, int b) {
  const auto rank = [](int status) {
    return status == 0 ? 0 : status == 3 ? 3 : status == 5 ? 2 : 1;
  };
  return rank(b) > rank(a) ? b : a;
}

int status_of(const image::NamedVerification& verification) {
  if (verification.report) return verification.report->ok() ? 0 : 3;
  // A record that cannot be read is damaged, whatever the reason.
  return verification.name.empty() ? 3 : exit_status(verification.report.error());
}

/// Every image in the store. One that fails does not keep the others from being checked.
Result<int> verify_all(Verification& verification) {
  const Options& options = verification.options;
  const auto store = TRY(verification.store_option.open());
  Json images = Json::array();
  int status = 0;
  TRY(image::verify_all(
      *store, [&](const std::string& name) { return verification.run(name); },
      [&](const image::NamedVerification& one) {
        const int verdict = status_of(one);
        status = worse(status, verdict);
        if (options.json) {
          images.push_back(report::to_json(one));
        } else if (!options.quiet || verdict != 0) {
          print_text(report::to_text(one));
        }
      }));
  if (options.json) print_json(Json{{"ok", status == 0}, {"images", std::move(images)}});
  return status;
}

Result<void> check_usage(const Options& options) {
  const auto refuse = [](std::string message) {
    return Error(ErrorKind::invalid_argument, std::move(message));
  };
  if (options.map && options.json) return refuse("--map: draws for people; leave out --json");
  if (options.report == "-" && (options.map || options.json))
    return refuse("--report -: writes the page to stdout; leave out --map and --json");
  if (!options.all && options.image.empty())
    return refuse("IMAGE is required unless --all is given; see `intact verify --help`");
  if (!options.all) return {};
  if (!options.image.empty())
    return refuse("--all: verifies every image in the store; leave out '" + options.image + "'");
  if (options.map || !options.report.empty())
    return refuse("--all: has no --map or --report; verify one image to get them");
  return {};
}

Result<int> verify(const Options& options, const StoreOption& store_option,
                   const AnchorOptions& anchors, const LimitOptions& limits,
                   const RegistryOptions& registry) {
  TRY(check_usage(options));
  image::VerifyOptions verify_options{.anchors = anchors.anchors()};
  verify_options.limits = limits.limits();
  verify_options.registry = registry.options();
  verify_options.platform = TRY(options.platform.platform());
  Verification verification{options, store_option, std::move(verify_options)};
  return options.all ? verify_all(verification) : verify_one(verification);
}

}  // namespace

void add_verify_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add(program.app(), "verify",
                  "Check an image from its signature down to every byte of every file");
  command
      ->add_option("IMAGE", options->image,
                   "Image in the store, in a registry, or in a layout or archive")
      ->type_name(fmt::format("NAME|{}", kImageForms));
  command->add_flag("--all", options->all, "Verify every image in the store");
  command->add_flag("-q,--quiet", options->quiet, "Print nothing about images that are intact");
  options->platform.add_to(command);
  command
      ->add_option("--report", options->report,
                   "Write the result as an HTML page that can be viewed anywhere; - is stdout")
      ->type_name("FILE");
  command->add_flag("--map", options->map, "Show a map of all blocks, with damage marked");
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  const LimitOptions limits(command);
  const RegistryOptions registry(command);
  program.on_chosen(command, [options, store, anchors, limits, registry] {
    return verify(*options, store, anchors, limits, registry);
  });
}

}  // namespace intact::cli
