#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/composefs/dump.h>
#include <intact/composefs/read.h>
#include <intact/composefs/scan.h>
#include <intact/composefs/write.h>
#include <intact/console/output.h>
#include <intact/fsverity/tree.h>
#include <intact/json/json.h>
#include <intact/report/contents.h>

#include "../commands.h"
#include "command.h"

// The commands here take the options of mkcomposefs and composefs-info and print the same lines, so
// that scripts need not care which of them they call.
namespace intact::cli {
namespace {

Result<void> write_stdout(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return {};
  return Error::from_errno("cannot write the output", errno);
}

// --- create -------------------------------------------------------------------------------------

struct CreateOptions {
  std::string source;
  std::string image;
  bool from_file = false;
  bool strict = false;
  bool print_digest = false;
  bool print_digest_only = false;
  bool json = false;
  std::optional<unsigned> min_version;
  std::optional<unsigned> max_version;
  std::optional<unsigned> threads;
  composefs::ScanOptions scan;
};

Result<tree::Tree> read_source(const CreateOptions& options) {
  if (!options.from_file) {
    if (options.strict) return wrong("--strict: only for dumps; pass --from-file");
    return composefs::scan_directory(options.source, options.scan);
  }
  const bool from_stdin = options.source == "-";
  const UniqueFd file = from_stdin ? UniqueFd() : TRY(open_file(options.source, O_RDONLY));
  return composefs::parse_dump(from_stdin ? STDIN_FILENO : file.get(), {.strict = options.strict})
      .context(from_stdin ? "standard input" : options.source);
}

Result<void> write_output(const std::string& path, ByteSpan image) {
  OutputFile out = TRY(path == "-" ? OutputFile::standard_output()
                                   : OutputFile::create(path, OutputFile::Existing::replace));
  TRY(out.write(image));
  return out.publish();
}

Result<int> create(const CreateOptions& options) {
  if (options.source.empty()) return wrong("SOURCE: the path is empty");
  if (options.print_digest_only && !options.image.empty())
    return wrong("IMAGE: not allowed with --print-digest-only, which writes no image");
  if (!options.print_digest_only && options.image.empty())
    return wrong("IMAGE: missing; give a path, or '-' for standard output");
  if (options.image == "-" && options.json)
    return wrong("--json: standard output is for the image; leave out --json");
  if (options.image == "-" && ::isatty(STDOUT_FILENO) == 1)
    return wrong("IMAGE: refusing to write an image to a terminal; redirect the output");
  if (options.threads == 0u) return wrong("--threads: must be at least 1");
  if (options.from_file && !options.scan.digest_store.empty())
    warn("--digest-store: ignored with --from-file, because a dump has no file contents");

  composefs::WriteOptions versions;
  if (options.min_version || options.max_version)
    versions = {.min_version = options.min_version.value_or(0),
                .max_version = options.max_version.value_or(0)};
  versions.threads = options.threads.value_or(0);
  // Never destroyed: the process ends, and freeing each file of a large tree takes longer than
  // that.
  static tree::Tree& tree = *new tree::Tree;
  tree = TRY(read_source(options));
  const Bytes image = TRY(composefs::write_image(tree, versions));
  if (!options.print_digest_only) TRY(write_output(options.image, image));
  if (options.json)
    print_json(Json{{"image", options.image.empty() ? Json() : Json(options.image)},
                    {"digest", fsverity::digest_of(image).to_string()},
                    {"size", image.size()}});
  else if (options.print_digest || options.print_digest_only)
    print("{}\n", fsverity::digest_of(image).hex());
  return 0;
}

void add_create(Program& program, CLI::App& group) {
  CLI::App* command = program.add(
      group, "create", "Write a composefs image from a directory or a dump, like mkcomposefs");
  const auto options = std::make_shared<CreateOptions>();
  command
      ->add_option("SOURCE", options->source,
                   "Directory to read; with --from-file a dump ('-' for stdin)")
      ->type_name("DIR|FILE")
      ->required();
  command->add_option("IMAGE", options->image, "Image to write ('-' for stdout)")
      ->type_name("FILE");
  command
      ->add_option("--digest-store", options->scan.digest_store,
                   "Copy file contents that are not stored inline to this object directory")
      ->type_name("DIR");
  command->add_flag("--use-epoch", options->scan.use_epoch, "Set all modification times to zero");
  command->add_flag("--skip-devices", options->scan.skip_devices, "Omit device nodes");
  command->add_flag("--skip-xattrs", options->scan.skip_xattrs, "Omit extended attributes");
  command->add_flag("--user-xattrs", options->scan.user_xattrs,
                    "Keep only extended attributes in user.*");
  command->add_flag("--print-digest", options->print_digest,
                    "Print the fs-verity digest of the image");
  command->add_flag("--print-digest-only", options->print_digest_only,
                    "Print only the digest and write no image");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->add_flag("--from-file", options->from_file,
                    "Read SOURCE as a dump instead of a directory");
  command->add_flag("--strict", options->strict, "Refuse dumps with inconsistent fields");
  command->add_option("--min-version", options->min_version, "Minimum format version (default: 0)")
      ->type_name("N");
  command
      ->add_option("--max-version", options->max_version,
                   "Maximum format version, used if the tree requires it (default: 1)")
      ->type_name("N");
  command
      ->add_option("--threads", options->threads,
                   "Number of threads that hash and copy (default: one per processor)")
      ->type_name("N");
  program.on_chosen(command, [options] {
    options->scan.threads = options->threads.value_or(0);
    return create(*options);
  });
}

// --- reading ------------------------------------------------------------------------------------

struct InfoOptions {
  std::vector<std::string> arguments;
  std::string basedir;
  std::vector<std::string> filters;
  bool json = false;
};

/// An image; "-" is standard input.
Result<std::shared_ptr<const ByteSource>> open_source(const std::string& path) {
  if (path == "-") return composefs::read_image_stream(STDIN_FILENO).context("standard input");
  return composefs::open_image_file(TRY(open_file(path, O_RDONLY))).context(path);
}

Result<tree::Tree> read_image(const std::string& path, const InfoOptions& options) {
  for (const std::string& filter : options.filters) {
    if (filter.find('/') != std::string::npos)
      return wrong(fmt::format("--filter {}: must be a single name without a slash", filter));
  }
  return composefs::read_tree(TRY(open_source(path)), {.toplevel_entries = options.filters})
      .context(path);
}

Result<void> dump(const std::vector<std::string>& images, const InfoOptions& options) {
  if (options.json) {
    std::string text;
    for (const std::string& image : images)
      TRY(composefs::write_dump(TRY(read_image(image, options)),
                                [&text](std::string_view part) -> Result<void> {
                                  text += part;
                                  return {};
                                }));
    print_json(report::dump_json(text));
    return {};
  }
  for (const std::string& image : images) {
    const tree::Tree tree = TRY(read_image(image, options));
    TRY(composefs::write_dump(tree, write_stdout));
  }
  return {};
}

Result<void> list_files(const std::vector<std::string>& images, const InfoOptions& options) {
  for (const std::string& image : images)
    TRY(composefs::write_list(TRY(read_image(image, options)), write_stdout));
  return {};
}

/// The payloads of all images, sorted, each once.
Result<std::set<std::string>> payloads_of(const std::vector<std::string>& images,
                                          const InfoOptions& options) {
  std::set<std::string> payloads;
  for (const std::string& image : images)
    composefs::collect_payloads(TRY(read_image(image, options)), payloads);
  return payloads;
}

Result<void> list_objects(const std::vector<std::string>& images, const InfoOptions& options) {
  const std::set<std::string> payloads = TRY(payloads_of(images, options));
  if (options.json) print_json(Json{{"objects", payloads}});
  if (options.json) return {};
  for (const std::string& payload : payloads) TRY(write_stdout(payload + "\n"));
  return {};
}

Result<void> list_missing(const std::vector<std::string>& images, const InfoOptions& options) {
  UniqueFd basedir;
  if (!options.basedir.empty())
    basedir = TRY(open_file(options.basedir, O_RDONLY | O_DIRECTORY | O_PATH));
  for (const std::string& payload : TRY(payloads_of(images, options)))
    if (!basedir || composefs::is_missing(basedir.get(), payload))
      TRY(write_stdout(payload + "\n"));
  return {};
}

Result<void> measure(const std::vector<std::string>& files, const InfoOptions&) {
  for (const std::string& file : files) {
    const UniqueFd fd = TRY(open_file(file, O_RDONLY));
    print("{}\n", TRY(fsverity::digest_file(fd.get(), {}, 0).context(file)).hex());
  }
  return {};
}

Result<void> summarize(const std::vector<std::string>& images, const InfoOptions& options) {
  Json all = Json::array();
  for (const std::string& path : images) {
    const auto source = TRY(open_source(path));
    const report::ComposefsImage image{
        .file = path,
        .info = TRY(composefs::read_info(source).context(path)),
        .digest = TRY(composefs::digest_of_image(*source).context(path))};
    if (options.json)
      all.push_back(report::to_json(image));
    else
      print_text(report::to_text(image));
  }
  if (options.json) print("{}\n", to_text(all));
  return {};
}

using InfoAction = Result<void> (*)(const std::vector<std::string>&, const InfoOptions&);
struct InfoCommand {
  std::string_view name;
  InfoAction action;
};

constexpr std::array kInfoCommands = {
    InfoCommand{"ls", list_files},
    InfoCommand{"objects", list_objects},
    InfoCommand{"dump", dump},
    InfoCommand{"missing-objects", list_missing},
    InfoCommand{"measure-file", measure},
};

Result<int> info(const InfoOptions& options) {
  InfoAction action = summarize;
  std::vector<std::string> files = options.arguments;
  for (const InfoCommand& command : kInfoCommands) {
    if (files.front() != command.name) continue;
    action = command.action;
    files.erase(files.begin());
    break;
  }
  if (files.empty())
    return wrong(fmt::format("{}: no files given; for a file with this name write ./{}",
                             options.arguments.front(), options.arguments.front()));
  if (options.json && action != summarize) return wrong("--json: only for `info IMAGE`");
  TRY(action(files, options));
  return 0;
}

void add_filter(CLI::App* command, InfoOptions& options) {
  command
      ->add_option("--filter", options.filters,
                   "Process only this entry of the root directory (repeatable)")
      ->type_name("ENTRY")
      ->always_capture_default(false)
      ->allow_extra_args(false)
      ->default_str("");
}

CLI::App* add_reader(Program& program, CLI::App& group, const std::string& name,
                     const std::string& description, InfoAction action) {
  CLI::App* command = program.add(group, name, description);
  const auto options = std::make_shared<InfoOptions>();
  command->add_option("IMAGE", options->arguments, "Images to read ('-' for stdin)")
      ->type_name("FILE")
      ->required()
      ->always_capture_default(false)
      ->default_str("");
  add_filter(command, *options);
  command->add_flag("--json", options->json, "Print the result as JSON");
  program.on_chosen(command, [options, action]() -> Result<int> {
    TRY(action(options->arguments, *options));
    return 0;
  });
  return command;
}

void add_info(Program& program, CLI::App& group) {
  CLI::App* command =
      program.add(group, "info", "Run a COMMAND of composefs-info on images, or summarize images");
  const auto options = std::make_shared<InfoOptions>();
  command
      ->add_option("COMMAND", options->arguments,
                   "A composefs-info command followed by images, or only images")
      ->type_name("ls|objects|dump|missing-objects|measure-file|FILE")
      ->required()
      ->always_capture_default(false)
      ->default_str("");
  command->add_option("--basedir", options->basedir, "Object directory for missing-objects")
      ->type_name("DIR");
  add_filter(command, *options);
  command->add_flag("--json", options->json, "Print the summary as JSON");
  program.on_chosen(command, [options] { return info(*options); });
}

}  // namespace

void add_composefs_commands(Program& program) {
  CLI::App* group =
      program.add(program.app(), "composefs", "Write and read composefs images and dumps");
  group->require_subcommand(1);
  add_create(program, *group);
  add_reader(program, *group, "dump", "Print an image as a dump", dump);
  add_reader(program, *group, "objects", "Print the objects that images refer to", list_objects);
  add_info(program, *group);
}

}  // namespace intact::cli
