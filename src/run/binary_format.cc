#include "binary_format.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <elf.h>

#include <intact/base/file.h>
#include <intact/base/text.h>

namespace intact::run {
namespace {

constexpr const char* kRegistry = "/proc/sys/fs/binfmt_misc";
constexpr std::uint64_t kMaxEntry = 64 * 1024;  // bytes

bool is_native(std::string_view machine, unsigned elf_class, unsigned data, unsigned elf_machine) {
  struct Native {
    std::string_view machine;
    unsigned elf_class, elf_machine;
  };
  static constexpr Native kNative[] = {
      {"x86_64", ELFCLASS64, EM_X86_64}, {"x86_64", ELFCLASS32, EM_X86_64},
      {"x86_64", ELFCLASS32, EM_386},    {"aarch64", ELFCLASS64, EM_AARCH64},
      {"aarch64", ELFCLASS32, EM_ARM},
  };
  bool known = false;
  for (const Native& native : kNative) {
    if (native.machine != machine) continue;
    known = true;
    if (data == ELFDATA2LSB && native.elf_class == elf_class && native.elf_machine == elf_machine)
      return true;
  }
  return !known;
}

template <typename Header>
std::optional<Header> header_at(ByteSpan bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, bytes.data() + offset, sizeof header);
  return header;
}

/// The dynamic linker that an ELF file of this machine names; empty where it names none, or not
/// within `start`.
template <typename FileHeader, typename ProgramHeader>
std::string interpreter_of(ByteSpan start, const FileHeader& file) {
  for (unsigned i = 0; i < file.e_phnum && i < 128; ++i) {
    const auto header = header_at<ProgramHeader>(
        start, std::uint64_t{file.e_phoff} + std::uint64_t{i} * sizeof(ProgramHeader));
    if (!header || file.e_phoff > start.size()) return {};
    if (header->p_type != PT_INTERP) continue;
    if (header->p_offset > start.size() || start.size() - header->p_offset < header->p_filesz)
      return {};
    const std::string_view text =
        as_text(start.subspan(header->p_offset, static_cast<std::size_t>(header->p_filesz)));
    return std::string(text.substr(0, text.find('\0')));
  }
  return {};
}

template <typename FileHeader, typename ProgramHeader>
BinaryForm identify_elf(ByteSpan start, std::string_view machine) {
  const auto file = header_at<FileHeader>(start, 0);
  if (!file || (file->e_type != ET_EXEC && file->e_type != ET_DYN) ||
      file->e_phentsize != sizeof(ProgramHeader) ||
      !is_native(machine, file->e_ident[EI_CLASS], file->e_ident[EI_DATA], file->e_machine))
    return {};
  return {BinaryForm::Kind::native, interpreter_of<FileHeader, ProgramHeader>(start, *file)};
}

/// The interpreter of a script that begins with "#!", as the kernel takes it.
std::string script_interpreter(std::string_view line) {
  line = line.substr(2, 254);  // BINPRM_BUF_SIZE
  line = line.substr(0, line.find('\n'));
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin);
  return std::string(line.substr(0, line.find_first_of(std::string_view(" \t\0", 3))));
}

bool matches(const RegisteredFormat& format, ByteSpan start, std::string_view name) {
  if (!format.extension.empty()) {
    const auto dot = name.rfind('.');
    return dot != std::string_view::npos && name.substr(dot + 1) == format.extension;
  }
  if (format.offset > start.size() || start.size() - format.offset < format.magic.size())
    return false;
  for (std::size_t i = 0; i < format.magic.size(); ++i) {
    const auto mask = i < format.mask.size() ? static_cast<unsigned char>(format.mask[i]) : 0xffU;
    const auto have = std::to_integer<unsigned>(start[format.offset + i]);
    if (((have ^ static_cast<unsigned char>(format.magic[i])) & mask) != 0) return false;
  }
  return !format.magic.empty();
}

std::string bytes_of_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(
        static_cast<char>(whole_number<std::uint8_t>(hex.substr(i, 2), 16).value_or(0)));
  return bytes;
}

}  // namespace

std::optional<RegisteredFormat> parse_registered_format(std::string_view text) {
  RegisteredFormat format;
  bool enabled = false;
  while (!text.empty()) {
    std::string_view value = take_until(text, '\n');
    const std::string_view key = take_until(value, ' ');
    if (key == "enabled") enabled = true;
    if (key == "offset") format.offset = take_number(value).value_or(0);
    if (key == "magic") format.magic = bytes_of_hex(value);
    if (key == "mask") format.mask = bytes_of_hex(value);
    if (key == "extension") format.extension = value.starts_with('.') ? value.substr(1) : value;
  }
  if (!enabled) return std::nullopt;
  return format;
}

std::vector<RegisteredFormat> registered_formats() {
  std::vector<RegisteredFormat> formats;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kRegistry, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "register" || name == "status") continue;
    const auto text = read_file(entry.path().string(), kMaxEntry);
    if (!text) continue;
    if (auto format = parse_registered_format(as_text(*text)))
      formats.push_back(std::move(*format));
  }
  return formats;
}

BinaryForm identify_binary(ByteSpan start, std::string_view name, std::string_view machine,
                           const std::vector<RegisteredFormat>& formats) {
  // The kernel asks the registered formats first.
  for (const auto& format : formats)
    if (matches(format, start, name)) return {BinaryForm::Kind::foreign, {}};
  const std::string_view text = as_text(start);
  if (text.starts_with("#!")) {
    std::string interpreter = script_interpreter(text);
    if (interpreter.empty()) return {};
    return {BinaryForm::Kind::script, std::move(interpreter)};
  }
  if (!text.starts_with(std::string_view(ELFMAG, SELFMAG)) || start.size() <= EI_DATA) return {};
  if (start[EI_CLASS] == std::byte{ELFCLASS64})
    return identify_elf<Elf64_Ehdr, Elf64_Phdr>(start, machine);
  if (start[EI_CLASS] == std::byte{ELFCLASS32})
    return identify_elf<Elf32_Ehdr, Elf32_Phdr>(start, machine);
  return {};
}

}  // namespace intact::run
