#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/console/format_template.h>
#include <intact/console/output.h>
#include <intact/image/names.h>
#include <intact/image/source_summary.h>
#include <intact/image/stored_images.h>
#include <intact/json/json.h>
#include <intact/report/results.h>
#include <intact/store/maintenance.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "references.h"
#include "registry_options.h"
#include "store_option.h"

namespace intact::cli {
namespace {

/// What the commands on a store are given.
struct Options {
  std::vector<std::string> names;
  std::string old_name;  ///< of tag
  std::string new_name;
  std::string format;
  bool all = false;
  bool dry_run = false;
  bool json = false;
  bool digests = false;
  bool quiet = false;
  bool sizes = false;
  bool replace = false;
  bool no_heading = false;
  bool force = false;
  bool raw = false;
};

Result<std::optional<FormatTemplate>> parse_format(const Options& options) {
  if (options.format.empty()) return std::optional<FormatTemplate>();
  return std::optional(TRY(FormatTemplate::parse(options.format)));
}

Result<image::StoredImages> read_images(const StoreOption& store_option, bool with_sizes) {
  auto store = store_option.open();
  if (store) return image::list_images(**store, with_sizes);
  if (store.error().kind() != ErrorKind::not_found) return std::move(store).error();
  // No store is a store without images: pull makes one when it is needed.
  warn(store.error().message());
  image::StoredImages none;
  if (with_sizes) none.sizes.emplace();
  return none;
}

std::string without_heading(std::string text) {
  return text.substr(text.find('\n') + 1);
}

Result<int> list_images(const Options& options, const StoreOption& store_option) {
  const auto format = TRY(parse_format(options));
  const bool json = options.json || (format && format->is_json());
  const bool with_sizes =
      options.sizes || (format && !json && (format->uses("OwnSize") || format->uses("SharedSize")));
  image::StoredImages images = TRY(read_images(store_option, with_sizes));
  for (const Error& error : images.damaged)
    warn(error.message() + "; pull the image again, or remove the name");
  if (!options.names.empty()) images.keep(options.names);
  if (json) {
    print_json(report::to_json(images));
  } else if (options.quiet) {
    print_text(report::to_digests(images, options.digests));
  } else if (format) {
    const std::string text = TRY(format->render(report::to_fields(images), report::empty_fields()));
    print_text(options.no_heading && format->has_heading() ? without_heading(text) : text);
  } else {
    const std::string text = aligned_columns(report::to_table(images, options.digests));
    print_text(options.no_heading ? without_heading(text) : text);
  }
  return images.damaged.empty() ? 0 : 3;
}

Result<int> inspect_images(const Options& options, const StoreOption& store_option) {
  const auto format = TRY(parse_format(options));
  const auto store = TRY(store_option.open());
  std::vector<image::ImageSummary> summaries;
  for (const std::string& name : options.names)
    summaries.push_back(TRY(image::summarize(*store, name)));
  if (options.json || (format && format->is_json())) {
    Json all = Json::array();
    for (const auto& summary : summaries) all.push_back(report::to_json(summary));
    print_json(all.size() == 1 ? all.front() : all);
  } else if (format) {
    std::vector<Json> rows;
    for (const auto& summary : summaries) rows.push_back(report::to_fields(summary));
    print_text(TRY(format->render(rows, rows.front())));
  } else {
    for (const auto& summary : summaries) print_text(report::to_text(summary));
  }
  return 0;
}

/// Every name that is to go, with what it was called by. All must be there, or none goes.
Result<std::map<std::string, std::string>> names_to_remove(const store::Store& store,
                                                           const Options& options) {
  if (!options.all) return image::names_to_remove(store, options.names, options.force);
  std::vector<Error> damaged;
  auto names = TRY(image::all_names_to_remove(store, damaged));
  for (const Error& error : damaged) warn(error.message());
  return names;
}

Result<int> remove_names(const Options& options, const StoreOption& store_option) {
  if (options.all == !options.names.empty())
    return Error(ErrorKind::invalid_argument,
                 options.all ? "--all: removes every image; leave out the names"
                             : "nothing to remove; give a NAME, or --all");
  const auto store = TRY(store_option.open());
  std::vector<std::string> names;
  for (const auto& [name, called] : TRY(names_to_remove(*store, options))) {
    if (const auto error = TRY(image::remove(*store, name, called)))
      warn("'" + name +
           "' was removed, but the pull of it is still remembered: " + error->message());
    names.push_back(name);
  }
  if (options.json) {
    print_json(Json{{"removed", names}});
  } else {
    for (const std::string& name : names) print("Removed '{}'\n", visible(name));
    print_text(options.all && names.empty() ? "The store is empty\n"
                                            : "Run `intact gc` to free the space\n");
  }
  return 0;
}

Result<int> tag_image(const Options& options, const StoreOption& store_option,
                      const AnchorOptions& anchors) {
  const auto store = TRY(store_option.open());
  const store::NamedImage image = TRY(
      image::tag(*store, options.old_name, options.new_name, anchors.anchors(), options.replace));
  if (options.json) {
    print_json(Json{{"name", image.name}, {"manifest", image.manifest.to_string()}});
  } else {
    print("'{}' is {}\n", visible(image.name), image.manifest.to_string());
  }
  return 0;
}

Result<int> collect(const Options& options, const StoreOption& store_option) {
  const auto store = TRY(store_option.open());
  const store::GcReport report =
      TRY(store::collect_garbage(*store, options.dry_run, image::object_lister(*store)));
  print_result(options.json, report::to_json(report, options.dry_run),
               report::to_text(report, options.dry_run));
  return 0;
}

Result<int> check_store(const Options& options, const StoreOption& store_option) {
  const auto store = TRY(store_option.open());
  const store::FsckReport report =
      TRY(store::check(*store, {.list_objects = image::object_lister(*store)}));
  print_result(options.json, report::to_json(report), report::to_text(report));
  return report.ok() ? 0 : 3;
}

/// A manifest as it is; on a terminal, which it could steer if it is not JSON, only if it is.
Result<void> print_document(const Bytes& bytes) {
  if (::isatty(STDOUT_FILENO) == 1) {
    print_json(TRY(parse_json(bytes)));
  } else {
    print_text(as_text(bytes));
  }
  return {};
}

/// Images of the store, or one that is somewhere else.
Result<int> inspect_any(const Options& options, const StoreOption& store,
                        const registry::Options& registry) {
  const auto refuse = [](const char* message) {
    return Error(ErrorKind::invalid_argument, message);
  };
  const auto reference = TRY(oci::parse_reference(options.names.at(0)));
  if (!reference) {
    if (options.raw) return refuse("--raw: only for images that are not in the store");
    return inspect_images(options, store);
  }
  if (options.names.size() != 1)
    return refuse("images that are not in the store: inspect one at a time");
  if (!options.format.empty()) return refuse("--format: only for images in the store");
  if (options.raw) {
    TRY(print_document(TRY(image::read_top_document(*reference, registry))));
    return 0;
  }
  const image::SourceSummary summary = TRY(image::summarize_source(*reference, registry));
  print_result(options.json, report::to_json(summary), report::to_text(summary));
  return 0;
}

using Run = Result<int> (*)(const Options&, const StoreOption&);

/// A command on the store, with the options that all of them have.
CLI::App* add_store_command(Program& program, const std::shared_ptr<Options>& options,
                            const char* name, const char* description, Run run) {
  CLI::App* command = program.add(program.app(), name, description);
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  program.on_chosen(command, [options, store, run] { return run(*options, store); });
  return command;
}

void add_format_option(CLI::App* command, const std::shared_ptr<Options>& options,
                       const char* description) {
  command->add_option("--format", options->format, description)->type_name("TEMPLATE");
}

}  // namespace

void add_store_commands(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* images =
      add_store_command(program, options, "images", "List the images in the store", list_images);
  images->add_flag("-q,--quiet", options->quiet,
                   "Print only the digest of each manifest, as accepted for a NAME");
  images->add_option("NAME", options->names, "List only these names or digests");
  images->add_flag("-a,--all", options->all, "List all images, as is always done");
  images->add_flag("--digests,--no-trunc", options->digests, "Print whole digests");
  images->add_flag("-n,--noheading", options->no_heading, "Leave out the heading");
  images->add_flag("--sizes", options->sizes,
                   "Show how much of each image is its own and how much it shares with others");
  add_format_option(images, options,
                    "Print each image by this template, e.g. '{{.Name}} {{.Digest}}'");

  CLI::App* show =
      program.add(program.app(), "inspect", "Show the details of images (not verified)");
  show->add_option("IMAGE", options->names,
                   "Images in the store, or one in a registry, a layout or an archive")
      ->type_name(fmt::format("NAME|{}", kImageForms))
      ->required();
  show->add_flag("--json", options->json, "Print the result as JSON");
  show->add_flag("--raw", options->raw, "Print the manifest or index as it is (not of the store)");
  const StoreOption inspected(show);
  const RegistryOptions registry(show);
  program.on_chosen(show, [options, inspected, registry] {
    return inspect_any(*options, inspected, registry.options());
  });
  add_format_option(show, options, "Print fields by this template, e.g. '{{.Config.Env}}'");

  CLI::App* rm =
      add_store_command(program, options, "rm",
                        "Remove images from the store (run `gc` to free space)", remove_names);
  rm->add_option("NAME", options->names, "Images to remove; a digest removes all of its names");
  rm->add_flag("-a,--all", options->all, "Remove every image");
  rm->add_flag("-f,--force", options->force, "Ignore names that the store does not have");

  CLI::App* tag = program.add(program.app(), "tag", "Give an image in the store another name");
  tag->add_option("NAME", options->old_name, "Image in the store")->required();
  tag->add_option("NEW", options->new_name, "Further name for it")->required()->type_name("");
  tag->add_flag("--replace", options->replace, "Replace the image that NEW refers to");
  tag->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(tag);
  const AnchorOptions anchors(tag);
  program.on_chosen(tag, [options, store, anchors] { return tag_image(*options, store, anchors); });

  CLI::App* gc =
      add_store_command(program, options, "gc",
                        "Free the space of what no image, mount or running pull needs", collect);
  gc->add_flag("--dry-run", options->dry_run, "Only show what would be removed");
  add_store_command(program, options, "fsck",
                    "Check everything that images in the store need for damage", check_store);
}

}  // namespace intact::cli
