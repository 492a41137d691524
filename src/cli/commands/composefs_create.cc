#include "commands/composefs_create.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/composefs/dump.h>
#include <intact/composefs/scan.h>
#include <intact/composefs/write.h>
#include <intact/fsverity/tree.h>

#include "command.h"

namespace intact::cli {
namespace {

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

struct CreateOptions {
  std::string source;
  std::string image;
  bool from_file = false;
  bool strict = false;
  bool print_digest = false;
  bool print_digest_only = false;
  std::optional<unsigned> min_version;
  std::optional<unsigned> max_version;
  std::optional<unsigned> threads;
  composefs::ScanOptions scan;
};

/// A descriptor read as it comes: pipes, too.
class PipeStream final : public ByteStream {
 public:
  explicit PipeStream(int fd) : fd_(fd) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    for (;;) {
      const ssize_t count = ::read(fd_, out.data(), out.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return Error::from_errno("read", errno);
    }
  }

 private:
  int fd_;
};

Result<tree::Tree> read_source(const CreateOptions& options) {
  if (!options.from_file) {
    if (options.strict) return wrong("--strict: only for dumps; pass --from-file");
    return composefs::scan_directory(options.source, options.scan);
  }
  const bool from_stdin = options.source == "-";
  const UniqueFd file = from_stdin ? UniqueFd() : TRY(open_file(options.source, O_RDONLY));
  PipeStream stream(from_stdin ? STDIN_FILENO : file.get());
  return composefs::parse_dump(stream, {.strict = options.strict})
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
  if (options.print_digest || options.print_digest_only)
    print("{}\n", fsverity::digest_of(image).hex());
  return 0;
}

}  // namespace

void add_composefs_create_command(Program& program, CLI::App& group) {
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

}  // namespace intact::cli
