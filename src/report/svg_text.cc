#include "report/svg_text.h"

#include "report/html_page.h"
#include "report/inspect_words.h"

namespace assay::report {

std::string Xml(std::string_view text) { return EscapeHtml(CleanText(text)); }

double TextWidth(std::string_view text, double size) {
  double units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) == 0x80) continue;
    if (byte >= 0x80) {
      units += byte >= 0xe0 ? 1.0 : 0.6;
    } else if (std::string_view("ilj.,:;|'!()[]It").find(c) != std::string_view::npos) {
      units += 0.33;
    } else if (c == 'M' || c == 'W' || c == 'm' || c == 'w' || c == '%') {
      units += 0.88;
    } else if (c >= 'A' && c <= 'Z') {
      units += 0.69;
    } else {
      units += c == ' ' ? 0.29 : 0.57;
    }
  }
  return units * size;
}

std::string Fit(const std::string& text, double size, double width) {
  if (TextWidth(text, size) <= width) return text;
  std::string cut = text.substr(0, 400);
  while (!cut.empty() && TextWidth(cut, size) + size > width) {
    while (!cut.empty() && (static_cast<unsigned char>(cut.back()) & 0xc0) == 0x80) cut.pop_back();
    if (!cut.empty()) cut.pop_back();
  }
  return cut + "\u2026";
}

}  // namespace assay::report
