#include <ctime>

#include <fmt/format.h>

#include <intact/report/view.h>

#include "escape.h"
#include "html_parts.h"
#include "page_style.h"

namespace intact::report {
namespace {

std::string time_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) return "?";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string verdict(const View& view) {
  std::string says;
  if (view.ok) {
    says = "<b>Intact.</b> Every block of every file is what was signed.";
  } else if (!view.failure.empty()) {
    says = "<b>Refused.</b> " + html(view.failure);
  } else if (view.rows.empty()) {
    says = view.from_layers ? "<b>Damaged.</b> The layers of the image are not what was signed."
                            : "<b>Damaged.</b> The metadata of the image is not what was signed.";
  } else {
    says = fmt::format("<b>Damaged.</b> {} file{} not what was signed; everything else is.",
                       number_text(view.damaged_files), view.damaged_files == 1 ? " is" : "s are");
  }
  return fmt::format(
      "<div class=\"card verdict {}\"><div class=\"mark\">{}</div><div><h1>{}</h1><p>{}</p></div>"
      "</div>\n",
      view.ok ? "good" : "bad", view.ok ? "&#10003;" : "!", html(view.name), says);
}

std::string next_section(const View& view) {
  if (view.next.empty()) return "";
  std::string out = "<h2>What to do next</h2>\n<ol class=\"card next\">\n";
  for (const Step& step : view.next)
    out += "<li>" + html(step.text) +
           (step.command.empty() ? std::string()
                                 : "<pre class=\"mono\">" + html_message(step.command) + "</pre>") +
           "</li>\n";
  return out + "</ol>\n";
}

std::string circumstances_section(const View& view) {
  std::string out = "<h2>About this verification</h2>\n<div class=\"card\"><table class=\"about\">";
  const auto row = [&out](const std::string& title, const std::string& value) {
    out += "<tr><th>" + html(title) + "</th><td class=\"mono\">" + html(value) + "</td></tr>\n";
  };
  row("Time", time_text(view.time));
  for (const Fact& fact : view.facts) row(fact.title, fact.value);
  return out + "</table></div>\n";
}

std::string facts(const View& view) {
  if (!view.failure.empty()) return "";
  std::string out = "<div class=\"facts\">";
  const auto fact = [&](const std::string& value, const char* what, bool alarm = false) {
    out += fmt::format("<div class=\"card{}\"><b>{}</b><span>{}</span></div>",
                       alarm ? " alarm" : "", value, what);
  };
  const auto count = [&](std::uint64_t number, std::string what, bool alarm = false) {
    if (number != 1) what += "s";
    fact(number_text(number), what.c_str(), alarm);
  };
  count(view.rows.size(), "name");
  count(view.contents.size(), view.from_layers && view.rows.empty() ? "layer" : "distinct content");
  fact(size_text(view.bytes), "hashed");
  std::uint64_t bad = 0;
  for (const Content& content : view.contents) bad += content.bad_blocks.size();
  if (view.from_layers && view.rows.empty()) {
    count(bad, "damaged layer", bad > 0);
    return out + "</div>\n";
  }
  if (view.rows.empty()) bad = view.damage.size();
  count(bad, "damaged block", bad > 0);
  count(view.damaged_files, "damaged file", view.damaged_files > 0);
  return out + "</div>\n";
}

}  // namespace

std::string to_html(const View& view) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      // Whatever might slip into the page, the browser is to load and run nothing.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>";
  page += html(view.name) +
          (view.ok                ? " is intact"
           : view.failure.empty() ? " is damaged"
                                  : " was refused") +
          "</title>\n<style>";
  page += kPageStyle;
  page += "</style></head><body><main>\n" + verdict(view) + facts(view) + next_section(view) +
          damage_section(view) + chain_section(view) + map_section(view) +
          circumstances_section(view) + tree_section(view);
  page += "<footer>Verified by intact at " + time_text(view.time) +
          ". This page shows what was found at that time. It is not a proof.</footer>\n"
          "</main></body></html>\n";
  return page;
}

}  // namespace intact::report
