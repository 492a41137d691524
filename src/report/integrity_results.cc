#include <fmt/format.h>

#include <intact/base/bytes.h>
#include <intact/base/damage.h>
#include <intact/base/text.h>
#include <intact/report/integrity.h>

namespace intact::report {
namespace {

using integrity::JournalReport;
using integrity::Superblock;
using State = JournalReport::Entry::State;

/// "sectors 8 to 15", "sector 8".
std::string sectors_text(std::uint64_t first, std::uint64_t count) {
  return count == 1 ? fmt::format("sector {}", first)
                    : fmt::format("sectors {} to {}", first, first + count - 1);
}

/// The verdict, in one line; empty if nothing was checked.
std::string verdict_text(const integrity::ScanReport& report, const std::string& device) {
  if (!report.damaged.empty())
    return fmt::format("{} is damaged in {}: {} of {} checked sectors are bad\n", device,
                       counted(report.damaged.size(), "place"), report.damaged_sectors(),
                       report.checked);
  if (report.checked == report.sectors)
    return fmt::format("{} is intact: {} of {} sectors checked\n", device, report.checked,
                       report.sectors);
  if (report.checked == 0) return {};
  return fmt::format("no damage found in {}: {} of {} sectors checked, {} not checked\n", device,
                     report.checked, report.sectors, report.sectors - report.checked);
}

}  // namespace

Json to_json(const integrity::ScanReport& report, const std::string& device) {
  Json damaged = Json::array();
  for (const auto& damage : report.damaged)
    damaged.push_back({{"object", device},
                       {"sector", damage.range->first},
                       {"sectors", damage.range->count},
                       {"offset", damage.range->offset},
                       {"bytes", damage.range->bytes},
                       {"reason", damage.reason}});
  Json unprotected = Json::array();
  for (const auto& range : report.unprotected)
    unprotected.push_back({{"sector", range.sector},
                           {"sectors", range.sectors},
                           {"reason", integrity::name_of(report.why(range))}});
  return {{"ok", report.ok()},
          {"checked",
           {{"sectors", report.checked},
            {"bytes", report.checked * integrity::kSectorSize},
            {"journal_blocks", report.journal_blocks}}},
          {"damaged", std::move(damaged)},
          {"unprotected", std::move(unprotected)}};
}

std::string to_text(const integrity::ScanReport& report, const std::string& device) {
  std::string text;
  for (const auto& damage : report.damaged)
    text += fmt::format("DAMAGED {}: {}\n", range_text(*damage.range, "sector"), damage.reason);
  for (const auto& range : report.unprotected)
    text += fmt::format("not checked: {}: {}\n", sectors_text(range.sector, range.sectors),
                        integrity::explanation_of(report.why(range)));
  if (report.journal_blocks != 0)
    text += fmt::format("{} read from the journal\n", counted(report.journal_blocks, "block"));
  text += verdict_text(report, device);
  if (!report.damaged.empty() && report.marked_regions != 0)
    text += fmt::format(
        "the bitmap marks {}: blocks there may be half written by a crash; "
        "`intact integrity replay --in-place --integrity-legacy-recalculate` trusts their data and "
        "gives them new tags\n",
        counted(report.marked_regions, "region"));
  return text;
}

Json to_json(const Superblock& superblock) {
  Json json = {{"superblock_version", superblock.version},
               {"log2_interleave_sectors", superblock.log2_interleave_sectors},
               {"integrity_tag_size", superblock.tag_size},
               {"journal_sections", superblock.journal_sections},
               {"provided_data_sectors", superblock.provided_data_sectors},
               {"sector_size", superblock.block_size()},
               {"log2_blocks_per_bitmap", superblock.log2_blocks_per_bitmap_bit},
               {"flags", integrity::flag_names(superblock)},
               {"salt", to_hex(superblock.salt)}};
  if (superblock.has(Superblock::recalculating)) json["recalc_sector"] = superblock.recalc_sector;
  return json;
}

std::string to_text(const Superblock& superblock, const std::string& device) {
  std::string text = fmt::format("Info for integrity device {}.\n", device);
  text += fmt::format("superblock_version {}\n", superblock.version);
  text += fmt::format("log2_interleave_sectors {}\n", superblock.log2_interleave_sectors);
  text += fmt::format("integrity_tag_size {}\n", superblock.tag_size);
  text += fmt::format("journal_sections {}\n", superblock.journal_sections);
  text += fmt::format("provided_data_sectors {}\n", superblock.provided_data_sectors);
  text += fmt::format("sector_size {}\n", superblock.block_size());
  if (superblock.has(Superblock::recalculating))
    text += fmt::format("recalc_sector {}\n", superblock.recalc_sector);
  text += fmt::format("log2_blocks_per_bitmap {}\n", superblock.log2_blocks_per_bitmap_bit);
  text += "flags ";
  for (const std::string& name : integrity::flag_names(superblock)) text += name + " ";
  return text + "\n";
}

Json to_json(const integrity::Detection& found) {
  Json json = {{"ok", found.hash.has_value()},
               {"sampled", found.sampled},
               {"blank", found.blank},
               {"discarded", found.discarded},
               {"matching", found.matching},
               {"journal", integrity::name_of(found.journal)},
               {"journal_mac", found.journal_mac}};
  if (found.hash) {
    json["integrity"] = *found.hash;
    json["digest_size"] = found.digest_size;
    json["tag_use"] = integrity::name_of(found.tag_use);
    json["keyed"] = found.keyed;
    json["salted"] = found.salted;
  }
  return json;
}

std::string to_text(const integrity::Detection& found, const std::string& device, bool with_key) {
  std::string text = fmt::format("{}: {} examined, {} never written, {} discarded\n", device,
                                 counted(found.sampled, "block"), found.blank, found.discarded);
  if (found.hash) {
    text += fmt::format("integrity: {}\n", *found.hash);
    text += fmt::format("digest:    {} bytes, {}\n", found.digest_size,
                        integrity::explanation_of(found.tag_use));
    text += fmt::format("key:       {}\n", found.keyed ? "the given one" : "none");
    text += fmt::format("salt:      {}\n", found.salted ? "from the superblock" : "none");
    text += fmt::format("matching:  {} of {}\n", found.matching, counted(found.tagged(), "block"));
  } else {
    text += fmt::format("{}\n", integrity::why_no_hash(found, with_key));
  }
  return text +
         fmt::format("journal:   {}; {}\n",
                     found.journal_mac ? "with a MAC (--journal-integrity)" : "without a MAC",
                     integrity::explanation_of(found.journal));
}

Json to_json(const JournalReport& report) {
  Json entries = Json::array();
  for (const auto& entry : report.entries)
    entries.push_back({{"section", entry.section},
                       {"entry", entry.index},
                       {"sector", entry.sector},
                       {"state", integrity::name_of(entry.state)}});
  Json json = {{"ok", report.refused.empty()},          {"sections", report.sections},
               {"first_section", report.first_section}, {"valid_sections", report.valid_sections},
               {"used_entries", report.used_entries},   {"entries", std::move(entries)},
               {"holds_bitmap", report.holds_bitmap}};
  if (report.holds_bitmap) {
    json["dirty_regions"] = report.dirty_regions;
    json["sectors_per_region"] = report.sectors_per_region;
  }
  if (!report.refused.empty()) json["reason"] = report.refused;
  return json;
}

std::string to_text(const JournalReport& report, const std::string& device) {
  if (report.holds_bitmap) {
    const std::string text = fmt::format(
        "{} has no journal: it was not closed in bitmap mode, with {} of {} marked\n", device,
        counted(report.dirty_regions, "region"), counted(report.sectors_per_region, "sector"));
    return report.refused.empty() ? text : text + report.refused + "\n";
  }
  std::string text =
      fmt::format("journal:  {}, {} valid starting at section {}\n",
                  counted(report.sections, "section"), report.valid_sections, report.first_section);
  for (const auto& entry : report.entries) {
    text += fmt::format("section {} entry {}: sector {}", entry.section, entry.index, entry.sector);
    if (entry.state != State::replayed)
      text += fmt::format(": {}", integrity::name_of(entry.state));
    text += '\n';
  }
  if (!report.refused.empty())
    return text + fmt::format("The journal would not be replayed: {}\n", report.refused);
  if (report.used_entries == 0) return text + "There is nothing to replay\n";
  return text + fmt::format(
                    "{} would be written to their places; nothing was written (pass "
                    "--in-place or --output)\n",
                    counted(report.count(State::replayed), "block"));
}

Json to_json(const integrity::Replayed& done, const std::string& device) {
  return {{"ok", true},
          {"device", device},
          {"replayed_sections", done.sections},
          {"replayed_blocks", done.blocks},
          {"retagged_sectors", done.retagged_sectors},
          {"recalculating", done.first_without_tag.has_value()}};
}

std::string to_text(const integrity::Replayed& done, const std::string& device) {
  std::string text =
      done.retagged_sectors != 0
          ? fmt::format("{} got new tags for data that nothing has verified; {} is clean\n",
                        counted(done.retagged_sectors, "sector"), device)
          : fmt::format("Replayed {} of {}; {} is clean\n", counted(done.blocks, "block"),
                        counted(done.sections, "section"), device);
  // What a crash in bitmap mode leaves is calculated by the next server, or by a command.
  if (done.first_without_tag)
    text += fmt::format(
        "The tags from sector {} on are not calculated yet; run `intact integrity recalculate`\n",
        *done.first_without_tag);
  return text;
}

std::string to_text(const integrity::TagSample& sample, const std::string& device) {
  if (!sample.shows_damage()) return {};
  return fmt::format(
      "{}: in {} of {} sampled places of {} bytes the data did not match their tags; the new tags "
      "match whatever is there, so this damage cannot be detected any more",
      device, sample.bad, sample.places, integrity::TagSample::kLength);
}

Json to_json(const integrity::Recalculated& done, const std::string& device) {
  return {{"ok", true}, {"device", device}, {"sectors", done.sectors}};
}

std::string to_text(const integrity::Recalculated& done, const std::string& device) {
  using Tags = integrity::Recalculated::Tags;
  switch (done.tags) {
    case Tags::none:
      return device + ": no tags are missing; none were calculated (--reset calculates all)\n";
    case Tags::missing:
      return fmt::format("Calculated the missing tags of {}: {} sectors\n", device, done.sectors);
    case Tags::all:
      return fmt::format("Calculated all tags of {}: {} sectors\n", device, done.sectors);
    case Tags::marked_by_bitmap:
      break;
  }
  return fmt::format("Calculated the tags that the bitmap marks on {}\n", device);
}

Json to_json(const integrity::Resized& resized, const std::string& device) {
  return {{"device", device},
          {"provided_data_sectors", resized.sectors},
          {"provided_data_sectors_before", resized.before},
          {"file_bytes", resized.file_size},
          {"file_bytes_before", resized.file_before}};
}

std::string to_text(const integrity::Resized& resized, const std::string& device,
                    const std::string& file) {
  std::string text =
      fmt::format("{} provides {} sectors, {} before\n", device, resized.sectors, resized.before);
  if (resized.file_size != resized.file_before)
    text += fmt::format("{} was made {}: {} bytes, {} before\n", file,
                        resized.file_size > resized.file_before ? "longer" : "shorter",
                        resized.file_size, resized.file_before);
  return text;
}

}  // namespace intact::report
