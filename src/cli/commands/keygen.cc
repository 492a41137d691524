#include <memory>

#include <intact/console/password.h>
#include <intact/json/json.h>
#include <intact/sign/key.h>

#include "../commands.h"
#include "command.h"

namespace intact::cli {
namespace {

struct Options {
  std::string prefix;
  PasswordOptions password;
  bool json = false;
};

Result<int> keygen(const Options& options) {
  const std::string key_path = options.prefix + ".key";
  // Before anybody has to think of a password.
  TRY(sign::check_key_pair_is_new(options.prefix));
  const auto key = TRY(sign::PrivateKey::generate());
  const crypto::Secret password =
      TRY(read_password(options.password, "the key " + key_path, PasswordUse::fresh));
  TRY(sign::write_key_pair(options.prefix, key, password));
  const std::string fingerprint = key.public_key().fingerprint();
  if (options.json) {
    print("{}\n", to_text(Json{{"private_key", key_path},
                               {"public_key", options.prefix + ".pub"},
                               {"fingerprint", fingerprint}}));
  } else {
    print("Wrote {} (private: keep it secret) and {}.pub\n", key_path, options.prefix);
    print("  {}\n", fingerprint);
  }
  if (password.empty()) warn(key_path + ": the password is empty, so anyone who reads it can sign");
  return 0;
}

}  // namespace

void add_keygen_command(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      program.add(program.app(), "keygen", "Create a key pair to sign images with, as cosign does");
  command->add_option("PREFIX", options->prefix, "Writes PREFIX.key and PREFIX.pub")->required();
  add_password_options(command, options->password);
  command->add_flag("--json", options->json, "Print the result as JSON");
  program.on_chosen(command, [options] { return keygen(*options); });
}

}  // namespace intact::cli
