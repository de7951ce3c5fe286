// Text from files: what of it is UTF-8, and how it can be shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

// Whether text is well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
inline bool IsUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return false;
    uint32_t point = lead & (0xffU >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3fU);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    i += length;
  }
  return true;
}

// The text with every byte that is no UTF-8 and every control character (C1 ones, which move terminals, too) replaced;
// so are U+FFFE and U+FFFF, which XML does not take.
inline std::string CleanUtf8(std::string_view text, std::string_view replacement) {
  std::string clean;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    const std::string_view point = text.substr(i, length);
    if (!IsUtf8(point)) {
      clean += replacement;
      ++i;
      continue;
    }
    i += length;
    const bool is_control =
        lead < 0x20 || lead == 0x7f || (lead == 0xc2 && static_cast<unsigned char>(point[1]) < 0xa0);
    clean += is_control || point == "\xef\xbf\xbe" || point == "\xef\xbf\xbf" ? replacement : point;
  }
  return clean;
}

}  // namespace assay
