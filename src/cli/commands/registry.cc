// What is done with registries themselves: copy, push, login, logout.
#include <memory>
#include <string>

#include <intact/base/visible.h>
#include <intact/console/output.h>
#include <intact/console/password.h>
#include <intact/console/progress.h>
#include <intact/image/copy.h>
#include <intact/image/export.h>
#include <intact/registry/login.h>
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

constexpr const char* kSources =
    "docker://HOST/REPO[:TAG|@DIGEST], oci:DIR[:TAG], oci-archive:FILE[:TAG] or "
    "docker-archive:FILE[:REF]";

struct CopyArguments {
  std::string source, destination;
  PlatformOption platform;
  bool all = false;
  bool referrers = false;
  bool json = false;
};

Result<int> copy(const CopyArguments& given, const registry::Options& from,
                 const registry::Options& to, const LimitOptions& limits) {
  const oci::Reference source = TRY(require_reference(given.source, kSources));
  const oci::Reference destination = TRY(require_reference(given.destination, kImageFormsText));
  image::CopyOptions options{.platform = TRY(given.platform.platform()),
                             .all = given.all,
                             .referrers = given.referrers,
                             .source_registry = from,
                             .destination_registry = to,
                             .limits = limits.limits()};
  if (options.platform && options.all)
    return Error(ErrorKind::invalid_argument,
                 "--platform: --all copies all platforms; leave out one");
  const image::CopyReport report = TRY([&] {
    ProgressLine line;
    options.progress = line.sink();
    return image::copy_image(source, destination, options);
  }());
  print_result(given.json, report::to_json(report), report::to_text(report));
  return 0;
}

struct PushArguments {
  std::string name, destination;
  bool json = false;
};

Result<int> push(const PushArguments& given, const StoreOption& store, const AnchorOptions& anchors,
                 const registry::Options& to) {
  const oci::Reference destination = TRY(require_reference(given.destination, kImageFormsText));
  image::OpenOptions open;
  open.anchors = anchors.anchors();
  const image::ExportReport report = TRY(
      image::export_image(TRY(store.open()), given.name, open, to_string(destination), {}, {}, to));
  const std::string place = to_string(destination);
  print_result(given.json, report::to_json(report, place),
               report::to_text(report, given.name, place));
  return 0;
}

struct LoginArguments {
  std::string host, user, auth_file;
  PasswordOptions password;
  bool from_stdin = false;
  bool get_login = false;
  bool all = false;
  bool json = false;
};

Result<int> login(const LoginArguments& given, const RegistryOptions& registry_options) {
  const std::string key = TRY(registry::login_key(given.host));
  const registry::Options options = registry_options.options();
  const std::string file = TRY(registry::login_file(options.credentials));
  if (given.get_login) {
    print("{}\n", visible(TRY(registry::logged_in_user(file, key))));
    return 0;
  }
  if (given.user.empty())
    return Error(ErrorKind::invalid_argument, "--username: required; pass -u USER");
  PasswordOptions password = given.password;
  if (given.from_stdin) {
    if (!password.file.empty() || password.fd)
      return Error(ErrorKind::invalid_argument,
                   "--password-stdin: a password comes from one place; leave out the other option");
    password.file = "-";
  }
  registry::Credential credential{
      .user = given.user,
      .password = TRY(read_password(password, given.user + " at " + key, PasswordUse::existing)),
      .identity_token = {},
      .origin = "this login"};
  const registry::Login done = TRY(registry::log_in(file, key, credential, options));
  print_result(given.json, report::to_json(done), report::to_text(done));
  return 0;
}

Result<int> logout(const LoginArguments& given) {
  registry::CredentialOptions options{.auth_file = given.auth_file};
  const std::string file = TRY(registry::login_file(options));
  if (given.all == !given.host.empty())
    return Error(ErrorKind::invalid_argument, "name one registry, or pass --all");
  const registry::Logout done = TRY(registry::log_out(file, given.host));
  print_result(given.json, report::to_json(done), report::to_text(done));
  return 0;
}

void add_copy(Program& program) {
  auto given = std::make_shared<CopyArguments>();
  CLI::App* command = program.add(program.app(), "copy",
                                  "Copy an image with its signatures, as it is (not verified)");
  command->add_option("SOURCE", given->source, "Image to copy")
      ->type_name(fmt::format("{}|docker-archive:FILE[:REF]", kImageForms))
      ->required();
  command->add_option("DEST", given->destination, "Where to, with the source's tag by default")
      ->type_name(kImageForms)
      ->required();
  command->add_flag("-a,--all", given->all, "Copy the images for all platforms");
  given->platform.add_to(command);
  command->add_flag("--referrers", given->referrers,
                    "Also copy what refers to the image and is not a signature, such as SBOMs");
  command->add_flag("--json", given->json, "Print the result as JSON");
  const RegistryOptions from(command, "src-"), to(command, "dest-");
  const LimitOptions limits(command);
  program.on_chosen(command, [given, from, to, limits] {
    return copy(*given, from.options(), to.options(), limits);
  });
}

void add_push(Program& program) {
  auto given = std::make_shared<PushArguments>();
  CLI::App* command =
      program.add(program.app(), "push", "Write an image of the store into a registry");
  command->add_option("NAME", given->name, "Image in the store")->required();
  command->add_option("DEST", given->destination, "Where to")->type_name(kImageForms)->required();
  command->add_flag("--json", given->json, "Print the result as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  const RegistryOptions to(command);
  program.on_chosen(
      command, [given, store, anchors, to] { return push(*given, store, anchors, to.options()); });
}

void add_login(Program& program) {
  auto given = std::make_shared<LoginArguments>();
  CLI::App* command = program.add(program.app(), "login", "Store the credentials of a registry");
  command->add_option("HOST", given->host, "Registry, or a repository of it")
      ->type_name("HOST[:PORT][/REPO]")
      ->required();
  command->add_option("-u,--username", given->user, "User name there")->type_name("USER");
  command->add_flag("--password-stdin", given->from_stdin, "Read the password from standard input");
  add_password_options(command, given->password);
  command->add_flag("--get-login", given->get_login,
                    "Only print the user name that is stored for the registry");
  command->add_flag("--json", given->json, "Print the result as JSON");
  const RegistryOptions registry(command);
  program.on_chosen(command, [given, registry] { return login(*given, registry); });
}

void add_logout(Program& program) {
  auto given = std::make_shared<LoginArguments>();
  CLI::App* command = program.add(program.app(), "logout", "Remove the credentials of a registry");
  command->add_option("HOST", given->host, "Registry, or a repository of it")
      ->type_name("HOST[:PORT][/REPO]");
  command->add_flag("-a,--all", given->all, "Remove all credentials in the file");
  command
      ->add_option("--authfile", given->auth_file,
                   "File with the credentials (default: as `intact login` writes)")
      ->type_name("FILE");
  command->add_flag("--json", given->json, "Print the result as JSON");
  program.on_chosen(command, [given] { return logout(*given); });
}

}  // namespace

void add_registry_commands(Program& program) {
  add_copy(program);
  add_push(program);
  add_login(program);
  add_logout(program);
}

}  // namespace intact::cli
