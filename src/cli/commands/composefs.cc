#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/composefs/dump.h>
#include <intact/composefs/read.h>
#include <intact/fsverity/tree.h>
#include <intact/json/json.h>

#include "../commands.h"
#include "command.h"
#include "composefs_create.h"

// The commands here take the options of mkcomposefs and composefs-info and print the same lines, so
// that scripts need not care which of them they call.
namespace intact::cli {
namespace {

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

Result<void> write_stdout(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return {};
  return Error::from_errno("cannot write the output", errno);
}

/// Images up to this size are read into memory, so that they cannot change while they are parsed.
constexpr std::uint64_t kMemoryLimit = std::uint64_t{1} << 30;

struct InfoOptions {
  std::vector<std::string> arguments;
  std::string basedir;
  std::vector<std::string> filters;
  bool json = false;
};

/// An image; "-" is standard input.
Result<std::shared_ptr<const ByteSource>> open_source(const std::string& path) {
  if (path == "-") {
    Bytes bytes = TRY(read_fd(STDIN_FILENO, kMemoryLimit).context("standard input"));
    return std::shared_ptr<const ByteSource>(std::make_shared<MemorySource>(std::move(bytes)));
  }
  UniqueFd fd = TRY(open_file(path, O_RDONLY));
  const std::uint64_t size = TRY(file_size(fd.get()).context(path));
  if (size > kMemoryLimit)
    return std::shared_ptr<const ByteSource>(TRY(FileSource::open(std::move(fd))));
  Bytes bytes(static_cast<std::size_t>(size));
  TRY(pread_exact(fd.get(), 0, bytes).context(path));
  return std::shared_ptr<const ByteSource>(std::make_shared<MemorySource>(std::move(bytes)));
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
  for (const std::string& image : images) {
    const tree::Tree tree = TRY(read_image(image, options));
    TRY(composefs::write_dump(tree, write_stdout));
  }
  return {};
}

Result<void> list_files(const std::vector<std::string>& images, const InfoOptions& options) {
  using composefs::append_escaped;
  using composefs::Escape;
  for (const std::string& image : images) {
    const tree::Tree tree = TRY(read_image(image, options));
    TRY(tree.walk([](const std::string& path, const tree::Entry& entry) -> Result<void> {
      if (path == "/") return {};
      std::string line;
      append_escaped(line, path, Escape::path);
      const tree::Inode& inode = *entry.inode;
      if (inode.attributes.is_directory()) {
        line += "/\t";
      } else if (inode.attributes.is_symlink() && !entry.hard_link) {
        line += "\t-> ";
        append_escaped(line, inode.payload, Escape::standard);
      } else if (inode.attributes.is_regular() && !inode.payload.empty() && !entry.hard_link) {
        line += "\t@ ";
        append_escaped(line, inode.payload, Escape::standard);
      }
      return write_stdout(line + "\n");
    }));
  }
  return {};
}

/// Prints the payloads of all images for which `wanted` holds, sorted, each once.
Result<void> list_payloads(const std::vector<std::string>& images, const InfoOptions& options,
                           const std::function<bool(const std::string&)>& wanted) {
  std::set<std::string> payloads;
  for (const std::string& image : images) {
    const tree::Tree tree = TRY(read_image(image, options));
    TRY(tree.walk([&](const std::string&, const tree::Entry& entry) -> Result<void> {
      const tree::Inode& inode = *entry.inode;
      if (inode.attributes.is_regular() && !inode.payload.empty() && wanted(inode.payload))
        payloads.insert(inode.payload);
      return {};
    }));
  }
  for (const std::string& payload : payloads) TRY(write_stdout(payload + "\n"));
  return {};
}

Result<void> list_missing(const std::vector<std::string>& images, const InfoOptions& options) {
  UniqueFd basedir;
  if (!options.basedir.empty())
    basedir = TRY(open_file(options.basedir, O_RDONLY | O_DIRECTORY | O_PATH));
  return list_payloads(images, options, [&](const std::string& payload) {
    const std::size_t begin = std::min(payload.find_first_not_of('/'), payload.size());
    struct stat st;
    return !basedir || ::fstatat(basedir.get(), payload.c_str() + begin, &st, AT_EMPTY_PATH) != 0;
  });
}

Result<void> measure(const std::vector<std::string>& files, const InfoOptions&) {
  for (const std::string& file : files) {
    const UniqueFd fd = TRY(open_file(file, O_RDONLY));
    print("{}\n", TRY(fsverity::digest_file(fd.get(), {}, 0).context(file)).hex());
  }
  return {};
}

/// The fs-verity digest of the bytes that are parsed: the file is not opened a second time.
Result<Digest> digest_of(const ByteSource& source) {
  constexpr std::uint64_t kPiece = 1 << 20;
  fsverity::TreeBuilder builder;
  Bytes buffer(kPiece);
  for (std::uint64_t offset = 0; offset < source.size();) {
    const auto piece = MutableByteSpan(buffer).first(
        static_cast<std::size_t>(std::min(kPiece, source.size() - offset)));
    TRY(source.read(offset, piece));
    builder.update(piece);
    offset += piece.size();
  }
  return builder.finish().digest;
}

Result<void> summarize(const std::vector<std::string>& images, const InfoOptions& options) {
  Json all = Json::array();
  for (const std::string& path : images) {
    const auto source = TRY(open_source(path));
    const composefs::ImageInfo info = TRY(composefs::read_info(source).context(path));
    const Digest digest = TRY(digest_of(*source).context(path));
    if (options.json) {
      all.push_back({{"image", path},
                     {"format", info.format_version},
                     {"digest", digest.to_string()},
                     {"size", info.size},
                     {"inodes", info.inodes},
                     {"acl", info.has_acl}});
      continue;
    }
    print("{}\n  format:  composefs-{}\n  digest:  {}\n  size:    {} bytes\n  inodes:  {}\n", path,
          info.format_version, digest.to_string(), info.size, info.inodes);
    print("  ACLs:    {}\n", info.has_acl ? "yes" : "no");
  }
  if (options.json) print("{}\n", to_text(all));
  return {};
}

using InfoAction = Result<void> (*)(const std::vector<std::string>&, const InfoOptions&);
struct InfoCommand {
  std::string_view name;
  InfoAction action;
};

Result<void> list_objects(const std::vector<std::string>& images, const InfoOptions& options) {
  return list_payloads(images, options, [](const std::string&) { return true; });
}

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
  add_composefs_create_command(program, *group);
  add_reader(program, *group, "dump", "Print an image as a dump", dump);
  add_reader(program, *group, "objects", "Print the objects that images refer to", list_objects);
  add_info(program, *group);
}

}  // namespace intact::cli
