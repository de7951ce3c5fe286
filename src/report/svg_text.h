// Text in pictures: escaped, measured and cut to a width.
#pragma once

#include <string>
#include <string_view>

namespace assay::report {

// `text` for the content of an SVG element: printable and escaped.
std::string Xml(std::string_view text);

// About the width of sans-serif text of `size` pixels, in pixels; exact widths depend on the viewer's fonts.
double TextWidth(std::string_view text, double size);

// `text`, cut with an ellipsis where it is wider than `width` pixels.
std::string Fit(const std::string& text, double size, double width);

}  // namespace assay::report
